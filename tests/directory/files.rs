//! The files of records and marks, and foreign ones in their place.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use rocket_typed_sessions::storage::{
    Create, Invalidate, OwnerKey, Record, Refused, SessionStorage, StorageError, Timestamp, Touch,
    Update, Version,
};

use crate::shared::{version, walk};
use crate::*;

#[tokio::test]
async fn a_mark_is_a_small_private_file_that_a_purge_removes() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    let mark = NOW.after(Duration::from_secs(120));
    create(&storage, &key(1), "x").await;
    assert_eq!(
        storage.invalidate(&key(1), None, Some(mark)).await.expect("an answer"),
        Invalidate::Invalidated
    );
    let path = file(dir.path(), &key(1)).with_extension("ended");
    let about = path.symlink_metadata().expect("a mark");
    assert_eq!((about.mode() & 0o777, about.len()), (0o600, 8));
    let try_create = async || storage.create(&key(1), record("x"), FREE, NOW).await;
    assert_eq!(try_create().await.expect("an answer"), Create::Refused(Refused::Revoked));
    storage.purge_expired(NOW, 100).await.expect("an answer");
    assert!(path.exists());
    storage.purge_expired(mark, 100).await.expect("an answer");
    assert!(!path.exists());

    // What is no mark keeps nothing out, and is not followed.
    let target = dir.path().join("target");
    fs::write(&target, [0xff; 8]).expect("written");
    symlink(&target, &path).expect("a symlink");
    assert_eq!(try_create().await.expect("an answer"), Create::Created);
    assert!(storage.invalidate(&key(1), None, Some(mark)).await.is_err(), "no mark can be left");
    assert_eq!(fs::read(&target).expect("it is there"), [0xff; 8]);
    storage.purge_expired(NOW, 100).await.expect("an answer");
    assert!(path.symlink_metadata().is_err() && target.exists());
    fs::write(&path, b"torn").expect("written");
    assert_eq!(try_create().await.expect("an answer"), Create::Created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_unknown_ids_create_no_file_and_no_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    create(&storage, &key(1), "known").await;
    let before = walk(dir.path());
    let askers = (0..16_u64).map(|asker| {
        let storage = storage.clone();
        tokio::spawn(async move {
            for n in 0..62_500_u64 {
                let key = key(1000 + n * 16 + asker);
                assert_eq!(storage.read(&key, NOW).await.expect("an answer"), None);
                if n % 100 == 0 {
                    let update = storage.update(&key, Version::from_u64(1), record(""), NOW).await;
                    assert_eq!(update.expect("an answer"), Update::Missing);
                    let touch = storage.touch(&key, NOW, NOW).await;
                    assert_eq!(touch.expect("an answer"), Touch::Missing);
                    assert_eq!(
                        storage.invalidate(&key, None, None).await.expect("an answer"),
                        Invalidate::Missing
                    );
                }
            }
        })
    });
    for asker in askers.collect::<Vec<_>>() {
        asker.await.expect("no panic");
    }
    assert_eq!(walk(dir.path()), before);
}

#[tokio::test]
async fn s37_planted_foreign_and_damaged_files_are_corrupt_and_never_followed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (root, elsewhere) = (dir.path().join("sessions"), dir.path().join("elsewhere"));
    let storage = open(&root);
    create(&storage, &key(1), "genuine").await;
    create(&storage, &key(2), "another").await;
    create(&open(&elsewhere), &key(1), "planted").await;
    let path = file(&root, &key(1));
    let genuine = fs::read(&path).expect("the record");
    let plant: [(&str, &dyn Fn()); 7] = [
        ("a symlink to a genuine record", &|| {
            symlink(file(&elsewhere, &key(1)), &path).expect("a link");
        }),
        ("a symlink to nothing", &|| symlink("/nowhere", &path).expect("a link")),
        ("a folder", &|| fs::create_dir(&path).expect("a folder")),
        ("a pipe", &|| {
            let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
            assert!(made.success());
        }),
        ("another key's file", &|| {
            fs::copy(file(&root, &key(2)), &path).expect("a copy");
        }),
        ("an empty file", &|| fs::write(&path, b"").expect("a file")),
        ("something else", &|| fs::write(&path, b"something else\n").expect("a file")),
    ];
    for (what, plant) in plant {
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).expect("it goes");
        plant();
        let started = Instant::now();
        let read = storage.read(&key(1), NOW).await;
        assert!(matches!(read, Err(StorageError::Corrupt(_))), "{what}: {read:?}");
        let update = storage.update(&key(1), Version::from_u64(1), record("x"), NOW).await;
        assert!(matches!(update, Err(StorageError::Corrupt(_))), "{what}: {update:?}");
        let far = Timestamp::from_millis(u64::MAX - 1);
        // The other record expires; what was planted is not mistaken for one.
        let purged = storage.purge_expired(far, 100).await.expect("purging goes on");
        assert!(purged <= 1, "{what}: {purged}");
        assert!(path.symlink_metadata().is_ok(), "{what}: it stays for whoever looks into it");
        assert!(started.elapsed() < Duration::from_secs(2), "{what}: it did not hang");
        if purged == 1 {
            create(&storage, &key(2), "another").await;
        }
        if what != "a folder" {
            assert_eq!(
                storage.invalidate(&key(1), None, None).await.expect("it can be ended"),
                Invalidate::Invalidated,
                "{what}"
            );
            assert_eq!(found(&storage, &key(1)).await, None, "{what}");
            fs::write(&path, b"").expect("a file");
        }
    }
    assert!(found(&open(&elsewhere), &key(1)).await.is_some(), "what a link named is untouched");
    for length in (0..genuine.len()).step_by(3) {
        fs::write(&path, &genuine[..length]).expect("a file");
        let read = storage.read(&key(1), NOW).await;
        assert!(matches!(read, Err(StorageError::Corrupt(_))), "cut to {length}");
    }
}

/// A file is damaged behind its first bytes, which say whose it is.
#[tokio::test]
async fn a_record_with_a_damaged_payload_is_corrupt_and_can_be_replaced_and_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    let path = file(dir.path(), &key(1));
    let damage = || {
        let mut bytes = fs::read(&path).expect("the record");
        *bytes.last_mut().expect("a payload") ^= 1;
        fs::write(&path, bytes).expect("written");
    };
    let owner = OwnerKey::from_bytes([1; 32]);
    let first = Record { owner: Some(owner.clone()), ..record("before") };
    storage.create(&key(1), first.clone(), FREE, NOW).await.expect("it is written");
    damage();
    let read = storage.read(&key(1), NOW).await;
    assert!(matches!(read, Err(StorageError::Corrupt(_))), "{read:?}");
    let next = Record { version: version(), ..first.clone() };
    let updated = storage.update(&key(1), first.version, next.clone(), NOW).await;
    assert_eq!(updated.expect("an answer"), Update::Updated);
    assert_eq!(found(&storage, &key(1)).await, Some(next));
    damage();
    let index = storage.owners().expect("an index");
    assert_eq!(index.invalidate_owner(&owner, &[], NOW).await.expect("an answer"), 1);
    assert_eq!(found(&storage, &key(1)).await, None);
}

#[tokio::test]
async fn a_record_is_changed_although_the_file_of_its_lock_is_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    let version = create(&storage, &key(1), "before").await;
    let lose = || {
        for lock in fs::read_dir(dir.path().join("locks")).expect("the locks").flatten() {
            fs::remove_file(lock.path()).expect("it goes");
        }
    };
    lose();
    let updated = storage.update(&key(1), version, record("after"), NOW).await;
    assert_eq!(updated.expect("an answer"), Update::Updated);
    lose();
    let touched = storage.touch(&key(1), NOW, NOW).await;
    assert_eq!(touched.expect("an answer"), Touch::Touched);
}
