//! Nodes whose clocks are apart (R5).

use std::time::Duration;

use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::Clock;

use crate::app::*;
use crate::log::{ALONE, lines};
use crate::shared::{sent, text};

/// Logs in on a node whose clock is ahead, and shows the session to another node. Returns what that
/// node answers and logs.
async fn shown(storage: &str, ahead: u64, times: u32) -> (String, Vec<String>) {
    let memory = Memory::new(10);
    let (fast, slow) = (Clock::new(), Clock::new());
    fast.advance(Duration::from_secs(ahead));
    let fairing = |clock| Sessions::fairing().storage("shared", memory.clone()).clock(clock);
    let fast = launch(figment(storage), fairing(&fast)).await;
    let slow = launch(figment(storage), fairing(&slow)).await;
    lines();
    let cookie = sent(&get(&fast, "/login/ann", &[]).await).expect("a cookie");
    let mut answer = String::new();
    for _ in 0..times {
        answer = text(&slow, "/get", &cookie).await;
    }
    (answer, lines())
}

#[tokio::test]
async fn a_session_from_the_future_is_nobody_and_the_log_says_so_once() {
    let _alone = ALONE.lock().await;
    for storage in ["client", "shared"] {
        let (answer, lines) = shown(storage, 75, 3).await;
        assert_eq!(answer, "nobody");
        let [line] = &lines[..] else { panic!("one line: {lines:?}") };
        for part in ["Session `user`", "1m 15s in the future", "clocks", "NTP", "1m are"] {
            assert!(line.contains(part), "{line}");
        }
    }
}

#[tokio::test]
async fn a_minute_apart_is_no_news_and_neither_is_an_expired_session() {
    let _alone = ALONE.lock().await;
    for storage in ["client", "shared"] {
        let (answer, lines) = shown(storage, 55, 1).await;
        assert_eq!(answer, "ann");
        assert!(lines.is_empty(), "{lines:?}");
    }
    let clock = Clock::new();
    let client = launch(figment("client"), Sessions::fairing().clock(&clock)).await;
    lines();
    let cookie = sent(&get(&client, "/login/ann", &[]).await).expect("a cookie");
    clock.advance(Duration::from_secs(400 * 86_400));
    assert_eq!(text(&client, "/get", &cookie).await, "nobody");
    assert!(lines().is_empty());
}
