//! A key that is still needed after another one has begun to seal (R6).

use std::time::Duration;

use rocket::local::asynchronous::Client;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::Clock;

use crate::app::*;
use crate::log::{ALONE, lines};
use crate::shared::{KEY, OTHER_KEY, sent, text};

const THIRD: &str = "hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddee01";

/// A node with these keys, all of which share a storage and a clock.
async fn node(keys: &[&str], storage: &str, memory: &Memory, clock: &Clock) -> Client {
    let figment = figment(storage).merge(("sessions.secret", keys));
    let fairing = Sessions::fairing().storage("shared", memory.clone()).clock(clock);
    let client = launch(figment, fairing).await;
    lines();
    client
}

#[tokio::test]
async fn a_token_of_an_old_key_is_named_once_a_day_for_each_key() {
    let _alone = ALONE.lock().await;
    for storage in ["client", "shared"] {
        let (memory, clock) = (Memory::new(10), Clock::new());
        let mut cookies = Vec::new();
        for key in [KEY, OTHER_KEY, THIRD] {
            let client = node(&[key], storage, &memory, &clock).await;
            cookies.push(sent(&get(&client, "/login/ann", &[]).await).expect("a cookie"));
        }
        let client = node(&[THIRD, KEY, OTHER_KEY], storage, &memory, &clock).await;
        for _ in 0..2 {
            assert_eq!(text(&client, "/get", &cookies[2]).await, "ann");
            assert!(lines().is_empty(), "the first key seals");
        }
        for (cookie, number) in [(&cookies[0], "number 2"), (&cookies[1], "number 3")] {
            assert_eq!(text(&client, "/get", cookie).await, "ann");
            assert_eq!(text(&client, "/get", cookie).await, "ann");
            let [line] = &lines()[..] else { panic!("one line") };
            for part in
                ["Session `user`", number, "still needed, at the latest until 2", "guide/keys/"]
            {
                assert!(line.contains(part), "{line}");
            }
        }
        clock.advance(Duration::from_secs(23 * 3600));
        text(&client, "/get", &cookies[0]).await;
        assert!(lines().is_empty(), "once a day");
        clock.advance(Duration::from_secs(3600));
        text(&client, "/get", &cookies[0]).await;
        assert_eq!(lines().len(), 1);
    }
}

/// No session outlives `absolute_timeout`, which is 30 days.
#[tokio::test]
async fn an_old_key_that_no_session_can_need_is_named_once() {
    let _alone = ALONE.lock().await;
    for storage in ["client", "shared"] {
        let (memory, clock) = (Memory::new(10), Clock::new());
        let one = node(&[KEY], storage, &memory, &clock).await;
        let three = node(&[THIRD, KEY, OTHER_KEY], storage, &memory, &clock).await;
        for (days, expected) in [(0, 0), (29, 0), (1, 1), (0, 0), (30, 0)] {
            clock.advance(Duration::from_secs(days * 86_400));
            get(&one, "/login/ann", &[]).await;
            get(&three, "/get", &[]).await;
            assert!(lines().is_empty(), "one key, or no token");
            get(&three, "/login/ann", &[]).await;
            let told = lines();
            assert_eq!(told.len(), expected, "{told:?}");
            for part in ["Session `user`", "keys number 2 to 3", "no longer needed", "30 days"] {
                assert!(told.iter().all(|line| line.contains(part)), "{told:?}");
            }
        }
    }
}

/// A forged token says what it likes about its key.
#[tokio::test]
async fn a_token_that_opens_nothing_needs_no_key() {
    let _alone = ALONE.lock().await;
    for storage in ["client", "shared"] {
        let (memory, clock) = (Memory::new(10), Clock::new());
        let old = node(&[KEY], storage, &memory, &clock).await;
        let cookie = sent(&get(&old, "/login/ann", &[]).await).expect("a cookie");
        let client = node(&[OTHER_KEY, KEY], storage, &memory, &clock).await;
        let forged = &cookie[..cookie.len() - 8];
        assert_eq!(text(&client, "/get", &format!("{forged}AAAAAAAA")).await, "nobody");
        clock.advance(Duration::from_secs(400 * 86_400));
        assert_eq!(text(&client, "/get", &cookie).await, "nobody", "it has expired");
        assert!(lines().is_empty());
    }
}

/// Another node has other keys, or this one had them before.
#[tokio::test]
async fn a_token_of_a_key_that_is_not_in_the_list_is_named_once() {
    let _alone = ALONE.lock().await;
    for storage in ["client", "shared"] {
        let (memory, clock) = (Memory::new(10), Clock::new());
        let old = node(&[KEY], storage, &memory, &clock).await;
        let cookie = sent(&get(&old, "/login/ann", &[]).await).expect("a cookie");
        let client = node(&[OTHER_KEY], storage, &memory, &clock).await;
        for nonsense in ["user=", "user=nonsense", "user=AAAAAAAAAAAAAAAA"] {
            assert_eq!(text(&client, "/get", nonsense).await, "nobody");
            assert!(lines().is_empty(), "{nonsense} is no token");
        }
        for _ in 0..2 {
            assert_eq!(text(&client, "/get", &cookie).await, "nobody");
        }
        let told = lines();
        let [line] = &told[..] else { panic!("one line, not {told:?}") };
        for part in ["Session `user`", "no key of this node", "`app`", "guide/troubleshooting/"] {
            assert!(line.contains(part), "{line}");
        }
    }
}
