//! Folders that cannot be read, and a disk that is full.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use rocket_typed_sessions::storage::{OwnerKey, Record, SessionStorage, StorageError, Update};

use crate::shared::walk;
use crate::*;

pub async fn find_nothing_readable(place: &Path) {
    let storage = open(&place.join("sessions"));
    let unavailable = |answer: Result<_, StorageError>| match answer {
        Err(StorageError::Unavailable(text, _)) => assert!(text.contains("denied"), "{text}"),
        Err(other) => panic!("{other:?}"),
        Ok(()) => panic!("it was readable"),
    };
    unavailable(storage.read(&key(1), NOW).await.map(drop));
    unavailable(storage.create(&key(3), record("x"), FREE, NOW).await.map(drop));
}

#[tokio::test]
async fn an_unreadable_file_or_folder_is_unavailable() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("sessions");
    let storage = open(&root);
    create(&storage, &key(1), "mine").await;
    drop(storage);
    let set = |mode: u32, what: &[&str]| {
        for what in what {
            let path = dir.path().join(what);
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
        }
    };
    // Everybody may come in and take locks, but not into the records.
    set(0o777, &[".", "sessions", "sessions/owners", "sessions/locks"]);
    for lock in fs::read_dir(root.join("locks")).expect("the locks").flatten() {
        fs::set_permissions(lock.path(), Permissions::from_mode(0o666)).expect("chmod");
    }
    set(0o000, &["sessions/records"]);
    // Root may read everything: the child is nobody then.
    let root_user = fs::metadata(dir.path()).expect("the folder").uid() == 0;
    let mut command = if root_user {
        let copy = dir.path().join("program");
        fs::copy(this(), &copy).expect("a copy");
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(copy);
        command
    } else {
        Command::new(this())
    };
    let status = program(&mut command, "unreadable", dir.path()).status().expect("a child");
    set(0o700, &["sessions/records"]);
    assert!(status.success());
}

pub async fn fill(place: &Path) {
    let storage = open(place);
    let before = found(&storage, &key(1)).await.expect("a record");
    let large = "x".repeat(100_000);
    for attempt in 0..3 {
        let update = storage.update(&key(1), before.version, record(&large), NOW).await;
        assert!(matches!(update, Err(StorageError::Unavailable(..))), "{attempt}: {update:?}");
        let created = storage
            .create(
                &key(2),
                Record { owner: Some(OwnerKey::from_bytes([1; 32])), ..record(&large) },
                FREE,
                NOW,
            )
            .await;
        assert!(matches!(created, Err(StorageError::Unavailable(..))), "{attempt}: {created:?}");
        assert_eq!(found(&storage, &key(1)).await, Some(before.clone()), "the old record holds");
        assert_eq!(found(&storage, &key(2)).await, None);
        let listed = storage
            .owners()
            .expect("an index")
            .list(&OwnerKey::from_bytes([1; 32]), None, 9, NOW)
            .await;
        assert!(listed.expect("an answer").records.is_empty());
    }
    let files = walk(place).into_iter().filter(|path| path.is_file());
    let names = files.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned());
    let temporary: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
    assert!(temporary.is_empty(), "{temporary:?}");
    // What fits is written.
    let update = storage.update(&key(1), before.version, record("small"), NOW).await;
    assert!(matches!(update, Ok(Update::Updated)), "{update:?}");
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_leaves_the_old_record() {
    // A quota: no file may grow over 16 KiB. Writing stops in its middle.
    let dir = tempfile::tempdir().expect("a folder");
    create(&open(dir.path()), &key(1), "before").await;
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""]).arg(this());
    let status = program(&mut shell, "full", dir.path()).status().expect("a child");
    assert!(status.success());
    let after = found(&open(dir.path()), &key(1)).await.expect("a record");
    assert_eq!(String::from_utf8_lossy(&after.payload), "small");
}
