//! What a storage reports of changes.

use super::key::StorageKey;

/// A change in a storage; see [`SessionStorage::changes`](super::SessionStorage::changes).
///
/// ```
/// use rocket::futures::stream::{BoxStream, StreamExt, unfold};
/// use rocket::tokio::sync::broadcast::{self, Receiver, error::RecvError};
/// use rocket_typed_sessions::storage::{Change, StorageKey};
///
/// /// What a storage returns whose driver reports the keys of changed records.
/// fn changes(keys: Receiver<StorageKey>) -> BoxStream<'static, Change> {
///     unfold(keys, async |mut keys| match keys.recv().await {
///         Ok(key) => Some((Change::Record(key), keys)),
///         Err(RecvError::Lagged(_)) => Some((Change::Any, keys)), // some were missed
///         Err(RecvError::Closed) => None,
///     })
///     .boxed()
/// }
///
/// # rocket::async_test(async {
/// let (key, (driver, keys)) = (StorageKey::from_bytes([7; 32]), broadcast::channel(16));
/// driver.send(key.clone()).expect("a receiver");
/// assert_eq!(changes(keys).next().await, Some(Change::Record(key)));
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This record was written or deleted.
    Record(StorageKey),
    /// Any record may have changed, because changes were missed.
    Any,
}
