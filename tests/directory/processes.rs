//! Processes that are killed, and two that write at once.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use rocket_typed_sessions::storage::{SessionStorage, Update};

use crate::*;

/// A payload that nobody takes for another: the number, many times.
fn numbered(n: u32) -> String {
    format!("{n:08}").repeat(1000)
}

pub async fn write_for_ever(place: &Path) {
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
async fn s37_kill_9_in_the_middle_of_writes_leaves_the_old_or_the_new_record() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = open(dir.path());
    create(&storage, &key(1), &numbered(0)).await;
    let (mut last_seen, mut compared) = (0, 0);
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
            compared += 1;
        }
        last_seen = number;
    }
    assert!(last_seen > 200, "100 children wrote only {last_seen} times");
    assert!(compared > 20, "only {compared} of 100 children said what they had written");
    // What the killed ones left stands in nobody's way, and goes in time.
    let stored = found(&storage, &key(1)).await.expect("a record");
    let update = storage.update(&key(1), stored.version, record("after"), NOW).await;
    assert!(matches!(update, Ok(Update::Updated)));
}

pub async fn increment_500(place: &Path) {
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
