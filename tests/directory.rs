//! The directory storage under what machines do: processes that are killed,
//! two processes at once, foreign files, limits of the file system.

#![allow(clippy::expect_used)]

use std::fs::{self, Permissions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rocket_typed_sessions::storage::{
    Create, Directory, Invalidate, OwnerGuard, OwnerKey, Record, Refused, SessionStorage,
    StorageError, StorageKey, Timestamp, Touch, Update, Version,
};

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

/// One that no record has had.
fn version() -> Version {
    Version(RandomState::new().build_hasher().finish())
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
            "write" => write_for_ever(&place).await,
            "increment" => increment_500(&place).await,
            "unreadable" => find_nothing_readable(&place).await,
            "full" => fill(&place).await,
            other => panic!("no such job: {other}"),
        }
    });
}

/// A payload that nobody takes for another: the number, many times.
fn numbered(n: u32) -> String {
    format!("{n:08}").repeat(1000)
}

async fn write_for_ever(place: &Path) {
    let storage = open(place);
    let mut stored = found(&storage, &key(1)).await.expect("a record");
    let before = String::from_utf8_lossy(&stored.payload)[..8].parse::<u32>();
    for n in before.expect("a number") + 1..u32::MAX {
        let next = record(&numbered(n));
        let update = storage.update(&key(1), stored.version, next.clone(), NOW).await;
        assert!(matches!(update, Ok(Update::Updated)), "not written");
        stored = next;
        println!("wrote {n}");
    }
}

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

#[tokio::test]
async fn s37_kill_9_in_the_middle_of_writes_leaves_the_old_or_the_new_record() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    create(&storage, &key(1), &numbered(0)).await;
    let mut last_seen = 0;
    for round in 0..100_u64 {
        let mut writer = child("write", dir.path());
        let output = writer.stdout.take().expect("a pipe");
        // Killed at another point of a write every time.
        let last = std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let numbers =
                lines.filter_map(|line| line.rsplit_once("wrote ")?.1.parse::<u32>().ok());
            numbers.last()
        });
        tokio::time::sleep(Duration::from_micros(20_000 + round * 997)).await;
        writer.kill().expect("SIGKILL");
        writer.wait().expect("it is gone");
        let acknowledged = last.join().expect("no panic");

        let found = found(&storage, &key(1)).await.expect("the old record or the new one");
        let text = String::from_utf8_lossy(&found.payload).into_owned();
        let number = text[..8].parse::<u32>().expect("a number");
        assert_eq!(text, numbered(number), "a torn record");
        if let Some(acknowledged) = acknowledged {
            assert!([acknowledged, acknowledged + 1].contains(&number), "{acknowledged} {number}");
        }
        last_seen = number;
    }
    assert!(last_seen > 200, "100 children wrote only {last_seen} times");
    // What the killed ones left stands in nobody's way, and goes in time.
    let stored = found(&storage, &key(1)).await.expect("a record");
    let update = storage.update(&key(1), stored.version, record("after"), NOW).await;
    assert!(matches!(update, Ok(Update::Updated)));
}

async fn increment_500(place: &Path) {
    let storage = open(place);
    let writers = (0..8).map(|writer| {
        let storage = storage.clone();
        tokio::spawn(async move {
            for _ in 0..if writer < 4 { 62 } else { 63 } {
                loop {
                    let stored = found(&storage, &key(1)).await.expect("a record");
                    let number = String::from_utf8_lossy(&stored.payload).parse::<u32>();
                    let next = record(&(number.expect("a number") + 1).to_string());
                    let update = storage.update(&key(1), stored.version, next, NOW).await;
                    match update.expect("an outcome") {
                        Update::Updated => break,
                        Update::Conflict => {}
                        other @ Update::Missing => panic!("{other:?}"),
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
}

#[tokio::test]
async fn s57_two_processes_with_eight_writers_each_lose_none_of_a_thousand_increments() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    create(&storage, &key(1), "0").await;
    for mut writer in [(); 2].map(|()| child("increment", dir.path())) {
        assert!(writer.wait().expect("it ends").success());
    }
    let last = found(&storage, &key(1)).await.expect("a record").payload;
    assert_eq!(String::from_utf8_lossy(&last), "1000");
}

/// Everything below a folder.
fn walk(root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root).expect("a folder").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(walk(&entry.path()));
        }
        all.push(entry.path());
    }
    all.sort();
    all
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
                    let update = storage.update(&key, Version(1), record(""), NOW).await;
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
        let update = storage.update(&key(1), Version(1), record("x"), NOW).await;
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

async fn find_nothing_readable(place: &Path) {
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

async fn fill(place: &Path) {
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
