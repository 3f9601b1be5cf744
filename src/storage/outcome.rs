//! The outcomes of a storage's operations. Absence and conflict are outcomes and not errors.

use super::owner::Refused;

/// The outcome of [`SessionStorage::create`](super::SessionStorage::create).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// The record is stored. A repeated call has the same outcome.
    Created,
    /// Another live record has this key. Nothing was written.
    Exists,
    /// The guard refused the record. Nothing was written.
    Refused(Refused),
}

/// The outcome of [`SessionStorage::update`](super::SessionStorage::update).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The record was replaced. A repeated call has the same outcome.
    Updated,
    /// The record has another version. Nothing was written.
    Conflict,
    /// There is no live record under the key. Nothing was written.
    Missing,
}

/// The outcome of [`SessionStorage::succeed`](super::SessionStorage::succeed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succeed {
    /// The successor is stored. The field is the outcome for the predecessor.
    Created(Update),
    /// Another live record has the successor's key. Nothing was written.
    Exists,
    /// The successor's guard refused it. Nothing was written.
    Refused(Refused),
}

/// The outcome of [`SessionStorage::touch`](super::SessionStorage::touch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// The times are stored, or later ones were stored before.
    Touched,
    /// There is no live record under the key.
    Missing,
}

/// The outcome of [`SessionStorage::invalidate`](super::SessionStorage::invalidate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidate {
    /// The record was deleted.
    Invalidated,
    /// The record has another version than expected. It was not deleted, and no mark was left.
    Conflict,
    /// There is no record under the key.
    Missing,
}
