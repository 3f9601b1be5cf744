//! What the core keeps in a record beside the encoded value. All integers are
//! big-endian.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version `01` |
//! | 2 + n | the session's name, so that swapped records do not read (checklist S41) |
//! | 32 | SHA-256 of the id's secret |
//! | 32 | SHA-256 of the secret before it, if it may open the session for a while; else zeros |
//! | 8 | when the id was last renewed, Unix milliseconds; 0 = never |
//! | 4 | how often `renew` or a login replaced the id; CSRF tokens hang on it |
//! | 8 | authenticated, Unix milliseconds; 0 = never |
//! | 4 | idle override in seconds; 0 = configuration |
//! | 2 + n | [description of the client](crate::client); may be empty |
//! | rest | the encoded value |

use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::expiry::Timestamp;
use crate::request::plan::Renewal;
use crate::token::SessionId;

const VERSION: u8 = 1;

/// Which secrets open a session, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    current: [u8; 32],
    /// Zeros if it may not be used any more.
    previous: [u8; 32],
    /// Zero for never.
    pub renewed: Timestamp,
    /// How often the id was replaced, but for periodic renewals.
    pub rotations: u32,
}

/// With which of its secrets a session was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Current,
    Previous,
}

impl Secrets {
    /// Those of a session that begins under `id`.
    pub fn of(id: &SessionId) -> Self {
        Self { current: id.secret_hash(), ..Self::default() }
    }

    /// The same session's under another id.
    pub fn renewed(&self, id: &SessionId, now: Timestamp, renewal: Renewal) -> Self {
        let previous = if renewal.grace { self.current } else { [0; 32] };
        let rotations = self.rotations.wrapping_add(renewal.rotates.into());
        Self { current: id.secret_hash(), previous, renewed: now, rotations }
    }

    /// Whether the presented secret opens the session; constant time.
    pub fn admit(&self, id: &SessionId) -> Option<Admitted> {
        let hash = id.secret_hash();
        let is_current: bool = self.current.ct_eq(&hash).into();
        // No secret's hash is all zeros.
        let is_previous: bool = self.previous.ct_eq(&hash).into();
        match (is_current, is_previous) {
            (true, _) => Some(Admitted::Current),
            (_, true) => Some(Admitted::Previous),
            _ => None,
        }
    }
}

/// The envelope's own fields.
pub(crate) struct Envelope {
    pub secrets: Secrets,
    pub authenticated: Timestamp,
    pub idle_override: u32,
    /// Encoded; at most [`u16::MAX`] bytes.
    pub client: Vec<u8>,
}

impl Envelope {
    /// The record's payload for a value of session `name`.
    pub fn wrap(&self, name: &str, value: &[u8]) -> Arc<[u8]> {
        let mut bytes = Vec::with_capacity(93 + name.len() + self.client.len() + value.len());
        bytes.push(VERSION);
        prefix(&mut bytes, name.as_bytes());
        bytes.extend_from_slice(&self.secrets.current);
        bytes.extend_from_slice(&self.secrets.previous);
        bytes.extend_from_slice(&self.secrets.renewed.as_millis().to_be_bytes());
        bytes.extend_from_slice(&self.secrets.rotations.to_be_bytes());
        bytes.extend_from_slice(&self.authenticated.as_millis().to_be_bytes());
        bytes.extend_from_slice(&self.idle_override.to_be_bytes());
        prefix(&mut bytes, &self.client);
        bytes.extend_from_slice(value);
        bytes.into()
    }

    /// The envelope and where the value begins; `None` for another session's
    /// record and for anything that is no record.
    pub fn unwrap(payload: &[u8], name: &str) -> Option<(Self, usize)> {
        let mut rest = payload;
        if take::<1>(&mut rest)? != [VERSION] || prefixed(&mut rest)? != name.as_bytes() {
            return None;
        }
        let secrets = Secrets {
            current: take(&mut rest)?,
            previous: take(&mut rest)?,
            renewed: Timestamp::from_millis(u64::from_be_bytes(take(&mut rest)?)),
            rotations: u32::from_be_bytes(take(&mut rest)?),
        };
        let authenticated = Timestamp::from_millis(u64::from_be_bytes(take(&mut rest)?));
        let idle_override = u32::from_be_bytes(take(&mut rest)?);
        let client = prefixed(&mut rest)?.to_vec();
        Some((Self { secrets, authenticated, idle_override, client }, payload.len() - rest.len()))
    }
}

/// Appends `part`, which has at most 65535 bytes, after its length.
fn prefix(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn prefixed<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_be_bytes(take(rest)?));
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seed: u8) -> SessionId {
        SessionId::from_bytes(&[seed; 32])
    }

    #[test]
    fn an_envelope_round_trips_and_s41_no_other_sessions_record_reads() {
        let renewal = Renewal { grace: true, rotates: true };
        let secrets = Secrets::of(&id(7)).renewed(&id(8), Timestamp::from_millis(5), renewal);
        let envelope = Envelope {
            secrets: secrets.clone(),
            authenticated: Timestamp::from_millis(8),
            idle_override: 9,
            client: b"somebody".to_vec(),
        };
        let payload = envelope.wrap("cart", b"value");
        let (read, start) = Envelope::unwrap(&payload, "cart").unwrap();
        assert_eq!((read.authenticated, read.idle_override), (Timestamp::from_millis(8), 9));
        assert_eq!((read.secrets, read.client), (secrets, b"somebody".to_vec()));
        assert_eq!(&payload[start..], b"value");
        assert!(Envelope::unwrap(&payload, "user").is_none());
        for length in 0..start {
            assert!(Envelope::unwrap(&payload[..length], "cart").is_none(), "cut to {length}");
        }
    }

    #[test]
    fn of_several_secrets_the_last_opens_and_the_one_before_only_with_a_grace() {
        let now = Timestamp::from_millis(5);
        let first = Secrets::of(&id(1));
        assert_eq!((first.admit(&id(1)), first.admit(&id(2))), (Some(Admitted::Current), None));
        let periodic = first.renewed(&id(2), now, Renewal { grace: true, rotates: false });
        assert_eq!(periodic.admit(&id(2)), Some(Admitted::Current));
        assert_eq!(periodic.admit(&id(1)), Some(Admitted::Previous));
        let again = periodic.renewed(&id(3), now, Renewal { grace: true, rotates: true });
        assert_eq!((again.admit(&id(2)), again.admit(&id(1))), (Some(Admitted::Previous), None));
        let login = again.renewed(&id(4), now, Renewal { grace: false, rotates: true });
        assert_eq!((login.admit(&id(4)), login.admit(&id(3))), (Some(Admitted::Current), None));
        assert_eq!([first, periodic, again, login].map(|secrets| secrets.rotations), [0, 0, 1, 2]);
    }
}
