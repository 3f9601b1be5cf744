//! What the core keeps in a record beside the encoded value. All integers are
//! big-endian.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version `01` |
//! | 2 + n | the session's name, so that swapped records do not read (checklist S41) |
//! | 32 | SHA-256 of the id's secret |
//! | 32 | SHA-256 of the secret before it, during a grace period; else zeros |
//! | 8 | end of the grace period, Unix milliseconds; 0 = none |
//! | 8 | authenticated, Unix milliseconds; 0 = never |
//! | 4 | idle override in seconds; 0 = configuration |
//! | 2 + n | description of the client; empty |
//! | rest | the encoded value |

use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::expiry::Timestamp;

const VERSION: u8 = 1;

/// The envelope's own fields.
pub(crate) struct Envelope {
    pub secret_hash: [u8; 32],
    pub authenticated: Timestamp,
    pub idle_override: u32,
}

impl Envelope {
    /// The record's payload for a value of session `name`.
    pub fn wrap(&self, name: &str, value: &[u8]) -> Arc<[u8]> {
        let mut bytes = Vec::with_capacity(89 + name.len() + value.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&self.secret_hash);
        bytes.extend_from_slice(&[0; 32 + 8]);
        bytes.extend_from_slice(&self.authenticated.as_millis().to_be_bytes());
        bytes.extend_from_slice(&self.idle_override.to_be_bytes());
        bytes.extend_from_slice(&[0; 2]);
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
        let secret_hash = take(&mut rest)?;
        take::<40>(&mut rest)?;
        let authenticated = Timestamp::from_millis(u64::from_be_bytes(take(&mut rest)?));
        let idle_override = u32::from_be_bytes(take(&mut rest)?);
        prefixed(&mut rest)?;
        Some((Self { secret_hash, authenticated, idle_override }, payload.len() - rest.len()))
    }

    /// Whether the presented secret is this session's; constant time.
    pub fn admits(&self, secret_hash: &[u8; 32]) -> bool {
        self.secret_hash.ct_eq(secret_hash).into()
    }
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

    #[test]
    fn an_envelope_round_trips_and_s41_no_other_sessions_record_reads() {
        let envelope = Envelope {
            secret_hash: [7; 32],
            authenticated: Timestamp::from_millis(8),
            idle_override: 9,
        };
        let payload = envelope.wrap("cart", b"value");
        let (read, start) = Envelope::unwrap(&payload, "cart").unwrap();
        assert_eq!((read.authenticated, read.idle_override), (Timestamp::from_millis(8), 9));
        assert!(read.admits(&[7; 32]) && !read.admits(&[8; 32]));
        assert_eq!(&payload[start..], b"value");
        assert!(Envelope::unwrap(&payload, "user").is_none());
        for length in 0..start {
            assert!(Envelope::unwrap(&payload[..length], "cart").is_none(), "cut to {length}");
        }
    }
}
