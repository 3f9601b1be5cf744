//! The keys of records and of owners.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use crate::crypto::hex;

/// The key of a record: a SHA-256 hash, shown as 64 lower-case hexadecimal digits.
///
/// It is derived from the application, the session's name and a part of the id. So records of two
/// session types never share a key, and the storage reveals no id (OWASP, "Session Management
/// Cheat Sheet"). It can be used as a file name, in a database column and as a Redis key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorageKey(Name);

/// The key of an owner: a SHA-256 hash, shown as 64 lower-case hexadecimal digits.
///
/// It is derived from the application, the session's name and the result of
/// [`SessionData::owner`](crate::SessionData::owner). So no text that a user chose
/// (quotes, NUL, `../`, 4 KiB) reaches a storage.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerKey(Name);

type Name = [u8; 32];

macro_rules! hashed_name {
    ($type:ident) => {
        impl $type {
            /// Makes a key from the 32 bytes of a SHA-256 hash. A storage calls it
            /// to read a binary column; the crate itself makes the keys.
            ///
            /// ```
            #[doc = concat!("use rocket_typed_sessions::storage::", stringify!($type), ";")]
            ///
            #[doc = concat!("let key = ", stringify!($type), "::from_bytes([7; 32]);")]
            /// assert_eq!(key.to_string(), "07".repeat(32));
            /// ```
            pub const fn from_bytes(hash: [u8; 32]) -> Self {
                Self(hash)
            }

            /// Reads what [`Display`](fmt::Display) writes. Returns `None` for any
            /// other text.
            ///
            /// ```
            #[doc = concat!("use rocket_typed_sessions::storage::", stringify!($type), ";")]
            ///
            #[doc = concat!("let key = ", stringify!($type), "::from_bytes([7; 32]);")]
            #[doc = concat!("assert_eq!(", stringify!($type), "::from_hex(&key.to_string()), Some(key));")]
            #[doc = concat!("assert_eq!(", stringify!($type), "::from_hex(\"07\"), None);")]
            /// ```
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut hash = [0; 32];
                let read = base16ct::lower::decode(text, &mut hash).ok()?.len();
                (read == hash.len()).then_some(Self(hash))
            }

            /// Returns the 32 bytes of the hash, for a storage with binary keys.
            ///
            /// ```
            #[doc = concat!("use rocket_typed_sessions::storage::", stringify!($type), ";")]
            ///
            #[doc = concat!("let key = ", stringify!($type), "::from_bytes([7; 32]);")]
            /// assert_eq!(key.as_bytes(), &[7; 32]);
            /// ```
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 64];
                let digits = base16ct::lower::encode_str(&self.0, &mut digits);
                f.write_str(digits.map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $type {
            // Eight digits distinguish records in a log without revealing a whole key.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({}…)"), hex::encode(&self.0[..4]))
            }
        }
    };
}

hashed_name!(StorageKey);
hashed_name!(OwnerKey);

/// The hasher for maps of keys. A key is a SHA-256 hash, so its first bytes serve as its hash in
/// the map.
pub(crate) type FirstBytes = BuildHasherDefault<FirstBytesHasher>;

#[derive(Default)]
pub(crate) struct FirstBytesHasher(u64);

impl Hasher for FirstBytesHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length of a key, which is always 32.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_what_it_is_written_as_and_from_nothing_else() {
        let key = StorageKey::from_bytes([0xfe; 32]);
        let text = key.to_string();
        assert_eq!(text, "fe".repeat(32));
        assert_eq!(StorageKey::from_hex(&text), Some(key));
        let (upper, long) = (text.to_uppercase(), format!("{text}00"));
        for text in ["", "07", &text[1..], &text[2..], &upper, &long, &"é".repeat(32)] {
            assert_eq!(StorageKey::from_hex(text), None, "{text}");
        }
    }
}
