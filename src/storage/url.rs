//! Addresses of servers: read, and shown without their passwords.

use std::fmt;

/// An address, maybe with a password in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(pub String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[provided]")
    }
}
