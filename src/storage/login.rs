//! The two records of a login that replaces a session.

use super::key::StorageKey;
use super::owner::OwnerGuard;
use super::record::{Record, Version};

/// The record that a login begins; see [`SessionStorage::succeed`].
#[derive(Clone, Debug)]
pub struct Successor<'a> {
    /// Where it is created.
    pub key: &'a StorageKey,
    /// What is created.
    pub record: Record,
    /// Its conditions. [`replaces`](OwnerGuard::replaces) names the predecessor.
    pub guard: OwnerGuard,
}

/// The record that a login replaces; see [`SessionStorage::succeed`].
#[derive(Clone, Debug)]
pub struct Predecessor<'a> {
    /// Where it is.
    pub key: &'a StorageKey,
    /// Its present version.
    pub expected: Version,
    /// What stands there from now on: it says that a login has replaced the session,
    /// and is nobody's.
    pub record: Record,
}
