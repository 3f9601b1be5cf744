//! A storage behind an `Arc` is a storage, so that an application can keep a
//! handle on the one it registers.

use std::sync::Arc;

use rocket::futures::stream::BoxStream;

use super::{
    Change, Consistency, Create, Generation, OwnerGuard, OwnerKey, OwnerPage, Record,
    SessionStorage, StorageError, StorageKey, Stored, Timestamp, Touch, Update, Version,
};

#[rocket::async_trait]
impl<S: SessionStorage + ?Sized> SessionStorage for Arc<S> {
    async fn create(
        &self,
        key: &StorageKey,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Create, StorageError> {
        (**self).create(key, record, guard, now).await
    }

    async fn read(&self, key: &StorageKey, now: Timestamp) -> Result<Option<Stored>, StorageError> {
        (**self).read(key, now).await
    }

    async fn read_newer(
        &self,
        key: &StorageKey,
        than: Version,
        now: Timestamp,
    ) -> Result<Option<Stored>, StorageError> {
        (**self).read_newer(key, than, now).await
    }

    async fn update(
        &self,
        key: &StorageKey,
        expected: Version,
        record: Record,
        guard: OwnerGuard,
        now: Timestamp,
    ) -> Result<Update, StorageError> {
        (**self).update(key, expected, record, guard, now).await
    }

    async fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> Result<Touch, StorageError> {
        (**self).touch(key, last_seen, expires).await
    }

    async fn invalidate(&self, key: &StorageKey) -> Result<bool, StorageError> {
        (**self).invalidate(key).await
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StorageError> {
        (**self).purge_expired(now, limit).await
    }

    async fn list(
        &self,
        owner: &OwnerKey,
        after: Option<&StorageKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<OwnerPage, StorageError> {
        (**self).list(owner, after, limit, now).await
    }

    async fn invalidate_owner(
        &self,
        owner: &OwnerKey,
        except: &[StorageKey],
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        (**self).invalidate_owner(owner, except, now).await
    }

    async fn owner_generation(&self, owner: &OwnerKey) -> Result<Generation, StorageError> {
        (**self).owner_generation(owner).await
    }

    fn changes(&self) -> Option<BoxStream<'static, Change>> {
        (**self).changes()
    }

    fn consistency(&self) -> Consistency {
        (**self).consistency()
    }
}
