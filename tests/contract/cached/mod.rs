//! A cache in front of a storage that several nodes share.

mod applications;
mod copies;
mod told;
mod writes;

use std::time::Duration;

use rocket_typed_sessions::storage::{
    Cached, Create, OwnerGuard, OwnerIndex, OwnerKey, Record, SessionStorage, StorageKey, Timestamp,
};

use crate::support::*;

const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);

const TTL: Duration = Duration::from_secs(2);

const FREE: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };

fn key(byte: u8) -> StorageKey {
    StorageKey::from_bytes([byte; 32])
}

fn record(payload: &str, owner: Option<u8>) -> Record {
    Record {
        version: version(),
        payload: payload.as_bytes().into(),
        owner: owner.map(|byte| OwnerKey::from_bytes([byte; 32])),
        created: NOW,
        last_seen: NOW,
        expires: NOW.after(Duration::from_secs(100)),
    }
}

fn nodes(storage: &Faulty) -> [Cached; 2] {
    [Cached::new(storage.clone(), 1000, TTL), Cached::new(storage.clone(), 1000, TTL)]
}

fn owners(storage: &Cached) -> &dyn OwnerIndex {
    storage.owners().expect("an index of owners")
}

async fn payload(storage: &impl SessionStorage, name: u8) -> Option<String> {
    let found = storage.read(&key(name), NOW).await.expect("an answer")?;
    Some(String::from_utf8(found.payload.to_vec()).expect("text"))
}

async fn create(storage: &impl SessionStorage, name: u8, record: Record) {
    let created = storage.create(&key(name), record, FREE, NOW).await;
    assert!(matches!(created, Ok(Create::Created)), "{created:?}");
}
