//! Instructions of one call of the storage, counted by callgrind.

use std::process::Command;

use futures::FutureExt;
use rocket_typed_sessions::storage::{
    Memory, OwnerGuard, OwnerKey, Record, SessionStorage, StorageKey, Timestamp, Update, Version,
};

use crate::candidates::{LONG, key, now, record};

const RECORDS: u64 = 1000;

/// Calls one operation so many times.
pub fn run(operation: &str, owned: bool, calls: u64) {
    let (storage, now) = (Memory::new(10_000), Timestamp::from_millis(now()));
    let keys: Vec<_> = (0..RECORDS).map(|n| StorageKey::from_bytes(key(n))).collect();
    let owner = owned.then(|| OwnerKey::from_bytes(key(u64::MAX)));
    let record = Record { owner, ..record(now.as_millis() + LONG) };
    for key in &keys {
        create(&storage, key, record.clone(), now);
        assert!(read(&storage, key, now).is_some());
    }
    for (call, key) in (1..=calls).zip(keys.iter().cycle()) {
        match operation {
            "read" => assert!(read(&storage, key, now).is_some()),
            "update" => {
                let expected = Version::from_u64(1 + (call - 1) / RECORDS);
                let version = Version::from_u64(2 + (call - 1) / RECORDS);
                let record = Record { version, ..record.clone() };
                let updated = storage.update(key, expected, record, now).now_or_never();
                assert!(matches!(updated, Some(Ok(Update::Updated))));
            }
            _ => {
                let key = StorageKey::from_bytes(crate::candidates::key(RECORDS + call));
                create(&storage, &key, record.clone(), now);
            }
        }
    }
}

fn read(storage: &Memory, key: &StorageKey, now: Timestamp) -> Option<Record> {
    storage.read(key, now).now_or_never()?.ok()?
}

fn create(storage: &Memory, key: &StorageKey, record: Record, now: Timestamp) {
    let created = storage.create(key, record, OwnerGuard::default(), now).now_or_never();
    assert!(created.is_some_and(|created| created.is_ok()));
}

/// Prints a table of the instructions.
pub fn report() {
    println!("| instructions | no owner | owner |");
    println!("|---|---:|---:|");
    for operation in ["read", "update", "create"] {
        let [without, with] = ["false", "true"].map(|owned| {
            let counted = |calls| counted(operation, owned, calls);
            (counted(4000) - counted(2000)) / 2000
        });
        println!("| {operation} | {without} | {with} |");
    }
}

/// The instructions of a process that makes so many calls.
fn counted(operation: &str, owned: &str, calls: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program's path"))
        .args(["calls", operation, owned, &calls.to_string()])
        .output()
        .expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected : "));
    count.and_then(|(_, count)| count.trim().parse().ok()).expect("a count")
}
