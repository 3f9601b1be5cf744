//! The prepared keys of one session.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::kind::TokenKind;
use crate::crypto::aead::{ContentKey, Suite};
use crate::crypto::keys::{Binding, KeyMaterial, Purpose, Roots};
use crate::crypto::sha256::HmacSha256;
use crate::expiry::Timestamp;

/// The name that RFC 7518 gives to the HMAC of signed tokens.
pub(super) const SIGNATURE_SUITE: &str = "HS256";

/// The name of the algorithm that the keys for tokens of `kind` are derived for.
pub(super) const fn suite_name(kind: TokenKind, suite: Suite) -> &'static str {
    if matches!(kind, TokenKind::EncryptedPayload) { suite.name() } else { SIGNATURE_SUITE }
}

const DAY: Duration = Duration::from_secs(86_400);

/// One entry of a session's list of keys, ready for use.
pub(super) struct Key {
    pub id: [u8; 4],
    pub lock: Lock,
    /// When a token of this key was last noted, in milliseconds, or zero.
    noticed: AtomicU64,
}

/// What a key does to the tokens that it protects.
pub(super) enum Lock {
    Encrypt(Box<ContentKey>),
    Sign(HmacSha256),
}

impl Key {
    /// Derives the keys for tokens of `kind`. `None` cannot happen: every length used here is one
    /// that HKDF and the suites accept.
    pub fn derive(
        material: &KeyMaterial,
        kind: TokenKind,
        suite: Suite,
        binding: &Binding<'_>,
    ) -> Option<Self> {
        let encrypts = kind == TokenKind::EncryptedPayload;
        let name = suite_name(kind, suite);
        let roots = Roots::new(material);
        let derive = |purpose, length| roots.derive(purpose, name, kind as u8, binding, length);
        let lock = if encrypts {
            let enc = derive(Purpose::Enc, suite.key_len())?;
            let mac = derive(Purpose::Mac, suite.key_len())?;
            Lock::Encrypt(Box::new(ContentKey::new(suite, &enc, &mac)?))
        } else {
            let sign = derive(Purpose::Sign, 32)?;
            Lock::Sign(HmacSha256::new(&sign))
        };
        let id = *derive(Purpose::Kid, 4)?.first_chunk()?;
        Some(Self { id, lock, noticed: AtomicU64::default() })
    }

    /// Notes that a token of this key was presented. Returns whether none was noted within a day.
    pub fn notice(&self, now: Timestamp) -> bool {
        let last = Timestamp::from_millis(self.noticed.load(Ordering::Relaxed));
        let is_news = last == Timestamp::ZERO || now.since(last) >= DAY;
        if is_news {
            self.noticed.store(now.as_millis(), Ordering::Relaxed);
        }
        is_news
    }
}
