//! The directory storage under what machines do: processes that are killed,
//! two processes at once, foreign files, limits of the file system.

#![allow(clippy::expect_used)]

mod files;
mod limits;
mod processes;
#[path = "../shared/mod.rs"]
mod shared;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rocket_typed_sessions::storage::{
    Create, Directory, OwnerGuard, Record, SessionStorage, StorageKey, Timestamp, Version,
};

use shared::version;

const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);

const FREE: OwnerGuard = OwnerGuard { generation: None, limit: None, replaces: None };

/// What a child process is to do, and where.
const JOB: &str = "DIRECTORY_TEST_JOB";

const PLACE: &str = "DIRECTORY_TEST_PLACE";

fn key(n: u64) -> StorageKey {
    let mut bytes = [0; 32];
    for (part, factor) in bytes.chunks_mut(8).zip([1, 0x9e37_79b9_7f4a_7c15, 3, 5_u64]) {
        part.copy_from_slice(&n.wrapping_mul(factor).to_le_bytes());
    }
    StorageKey::from_bytes(bytes)
}

fn record(payload: &str) -> Record {
    Record {
        version: version(),
        payload: payload.as_bytes().into(),
        owner: None,
        created: NOW,
        last_seen: NOW,
        expires: NOW.after(Duration::from_secs(3600)),
    }
}

fn open(root: &Path) -> Directory {
    Directory::open(root).expect("a directory")
}

/// The file of a record.
fn file(root: &Path, key: &StorageKey) -> PathBuf {
    let name = key.to_string();
    root.join("records").join(&name[..2]).join(&name[2..4]).join(name)
}

async fn found(storage: &Directory, key: &StorageKey) -> Option<Record> {
    storage.read(key, NOW).await.expect("a record or none")
}

async fn create(storage: &Directory, key: &StorageKey, payload: &str) -> Version {
    let record = record(payload);
    let version = record.version;
    let created = storage.create(key, record, FREE, NOW).await.expect("it is written");
    assert_eq!(created, Create::Created);
    version
}

/// This test program as another process, doing `job` in `place`.
fn child(job: &str, place: &Path) -> Child {
    program(&mut Command::new(this()), job, place).spawn().expect("a child process")
}

fn this() -> PathBuf {
    std::env::current_exe().expect("this program's path")
}

fn program<'a>(command: &'a mut Command, job: &str, place: &Path) -> &'a mut Command {
    command
        .args(["--exact", "child_process", "--nocapture", "--quiet"])
        .env(JOB, job)
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
}

/// The children of the other tests; nothing to do otherwise.
#[test]
fn child_process() {
    let (Ok(job), Some(place)) = (std::env::var(JOB), std::env::var_os(PLACE)) else { return };
    let place = PathBuf::from(place);
    let runtime = rocket::tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        match job.as_str() {
            "write" => processes::write_for_ever(&place).await,
            "increment" => processes::increment_500(&place).await,
            "unreadable" => limits::find_nothing_readable(&place).await,
            "full" => limits::fill(&place).await,
            other => panic!("no such job: {other}"),
        }
    });
}
