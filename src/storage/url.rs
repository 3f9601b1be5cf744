//! The URLs of servers, which are shown without their passwords.

use std::fmt;

/// A URL that may contain a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url(pub String);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[provided]")
    }
}
