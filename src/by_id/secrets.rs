//! The secrets that open a session: the current one, the next one of a renewal, and those
//! before, each for as long as its grace period says.

use std::sync::Arc;
use std::time::Duration;

use super::MARK;
use crate::crypto::mac::equal;
use crate::crypto::sha256::HmacSha256;
use crate::expiry::Timestamp;
use crate::token::SessionId;

/// The most previous secrets that a record holds.
pub(super) const MOST_PREVIOUS: usize = 16;

/// The secrets of a session: the one that opens it, and those before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    pub(super) current: [u8; 32],
    /// The previous secrets, newest first, at most [`MOST_PREVIOUS`]. A renewal drops those that
    /// stopped opening the session more than two minutes ago. They are shared, because every write
    /// copies the secrets. `None` if there are none.
    pub(super) previous: Option<Arc<[Previous]>>,
    /// The masked next secret, while a renewal is open.
    pub(super) renewal: Option<[u8; 16]>,
    /// When the id was last renewed, or that renewal completed; zero for never.
    pub renewed: Timestamp,
    /// The CSRF generation: how often `renew` has replaced the id.
    pub rotations: u32,
}

/// A secret that the session had before the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) hash: [u8; 32],
    /// When the secret stops opening the session, or stopped. While a renewal is open, the newest
    /// one still opens it after that.
    pub(super) until: Timestamp,
}

/// Which of a session's secrets a client has presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Current,
    /// The newest previous secret, while a renewal is open. Holds the next id.
    BeforeRenewal(SessionId),
    /// The newest previous secret. It opens the session until this time.
    Previous(Timestamp),
    /// An older secret. It stopped opening the session at this time.
    Former(Timestamp),
}

impl Secrets {
    /// Returns the secrets of a session that begins under `id`.
    pub fn new(id: &SessionId) -> Self {
        Self { current: id.secret_hash(), ..Self::default() }
    }

    /// Returns the secrets after an immediate renewal to `id`. The id before opens nothing.
    pub fn with_new(&self, id: &SessionId, now: Timestamp, rotations: u32) -> Self {
        let (current, previous) = (id.secret_hash(), Some(self.previous_after(now)));
        Self { current, previous, renewal: None, renewed: now, rotations }
    }

    /// Returns the secrets after a periodic renewal from the id `of` to `next`. The renewal stays
    /// open until `next` is first shown. Until then, a client that shows `of` is sent `next`, whose
    /// secret is stored masked under `of`.
    pub fn renewing(&self, of: &SessionId, next: &SessionId, now: Timestamp) -> Self {
        let renewal = Some(mask(of, next.secret()));
        let (current, previous) = (next.secret_hash(), Some(self.previous_after(now)));
        Self { current, previous, renewal, renewed: now, rotations: self.rotations }
    }

    /// Returns the previous secrets after a renewal at `now`. The current secret becomes the newest
    /// of them. A previous secret that opens the session until then stops doing so.
    fn previous_after(&self, now: Timestamp) -> Arc<[Previous]> {
        let mut all = self.previous().to_vec();
        if let Some(newest) = all.first_mut() {
            newest.until = if self.is_open() { now } else { newest.until.min(now) };
        }
        all.retain(|before| now < before.until.after(MARK));
        all.insert(0, Previous { hash: self.current, until: now });
        all.truncate(MOST_PREVIOUS);
        all.into()
    }

    pub(super) fn previous(&self) -> &[Previous] {
        self.previous.as_deref().unwrap_or_default()
    }

    /// Returns the secrets after the next id was first shown. The newest previous one opens the
    /// session for `grace`.
    pub fn completing(&self, now: Timestamp, grace: Duration) -> Self {
        let mut completed = Self { renewal: None, renewed: now, ..self.clone() };
        let all = completed.previous.as_mut().map(Arc::make_mut);
        if let Some(newest) = all.and_then(<[_]>::first_mut) {
            newest.until = now.after(grace);
        }
        completed
    }

    /// Whether a renewal is open: the next id has not been shown yet.
    pub fn is_open(&self) -> bool {
        self.renewal.is_some()
    }

    /// Returns which of the session's secrets `id` has, in constant time. `None` if it has none of
    /// them.
    pub fn admit(&self, id: &SessionId) -> Option<Admitted> {
        let hash = id.secret_hash();
        if equal(&self.current, &hash) {
            return Some(Admitted::Current);
        }
        let all = self.previous();
        let at = all.iter().position(|before| equal(&before.hash, &hash))?;
        let until = all[at].until;
        Some(match self.renewal {
            _ if at > 0 => Admitted::Former(until),
            Some(next) => Admitted::BeforeRenewal(id.with_secret(mask(id, next))),
            None => Admitted::Previous(until),
        })
    }
}

/// Masks `secret` under the whole id `of`. Masking twice gives the secret again.
pub(super) fn mask(of: &SessionId, secret: [u8; 16]) -> [u8; 16] {
    let mask = HmacSha256::new(&of.secret()).tag([b"renew", &of.locator()]);
    std::array::from_fn(|at| secret[at] ^ mask[at])
}

#[cfg(test)]
mod tests;
