//! The two records of a login that replaces a session.

use super::key::StorageKey;
use super::owner::OwnerGuard;
use super::record::{Record, Version};

/// The record that a login begins; see [`SessionStorage::succeed`](super::SessionStorage::succeed).
#[derive(Clone, Debug)]
pub struct Successor<'a> {
    /// The key under which it is created.
    pub key: &'a StorageKey,
    /// The record.
    pub record: Record,
    /// The conditions for its creation. [`replaces`](OwnerGuard::replaces) is the
    /// predecessor.
    pub guard: OwnerGuard,
}

/// The record that a login replaces; see [`SessionStorage::succeed`](super::SessionStorage::succeed).
#[derive(Clone, Debug)]
pub struct Predecessor<'a> {
    /// The key of the record.
    pub key: &'a StorageKey,
    /// The version that it must have.
    pub expected: Version,
    /// The record that replaces it. It says that a login has replaced the session,
    /// and has no owner.
    pub record: Record,
}
