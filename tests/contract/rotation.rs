//! Keys change as an operator changes them, while users are logged in.

use std::time::Duration;

use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket_typed_sessions::Sessions;

use crate::support::*;

/// A user whose browser keeps whatever token it was given last.
struct User {
    token: String,
    count: u32,
}

impl User {
    /// One more request, to whichever node.
    async fn visits(&mut self, node: &Client, when: &str) {
        let response = with_cookie(node, "/count", &self.token).await;
        if let Some(token) = sent(&response) {
            self.token = token;
        }
        self.count += 1;
        let seen = response.into_string().await;
        assert_eq!(seen, Some(format!("ann {}", self.count)), "{when}");
    }
}

/// A node as it is deployed with these keys. Records are in a shared directory.
async fn deploy(place: &str, dir: &std::path::Path, keys: &[&str]) -> Client {
    let figment = figment("client").merge(("sessions.secret", keys));
    let figment = match place {
        "client" => figment,
        _ => figment
            .merge(("sessions.user.storage.type", "directory"))
            .merge(("sessions.user.storage.path", dir.to_string_lossy())),
    };
    client(figment).await
}

#[tokio::test]
async fn s32_two_nodes_change_their_key_and_no_user_notices() {
    let (old, new) = (KEY, OTHER_KEY);
    for place in PLACES {
        let dir = tempfile::tempdir().expect("a folder");
        let lists: [&[&str]; 4] = [&[old], &[old, new], &[new, old], &[new]];
        let mut nodes =
            [deploy(place, dir.path(), lists[0]).await, deploy(place, dir.path(), lists[0]).await];
        let token = logged_in(&nodes[0], "ann").await;
        let mut user = User { token, count: 0 };
        let mut quiet = User { token: logged_in(&nodes[1], "ann").await, count: 0 };
        for list in &lists[1..] {
            for node in 0..2 {
                // One node is deployed before the other.
                nodes[node] = deploy(place, dir.path(), list).await;
                for request in 0..6 {
                    user.visits(&nodes[request % 2], &format!("{place} {list:?}")).await;
                }
            }
            // This one comes back once between two steps.
            quiet.visits(&nodes[0], &format!("{place} {list:?}")).await;
        }
        let stranger = deploy(place, dir.path(), &[old]).await;
        assert_eq!(text(&stranger, "/get", &user.token).await, "absent", "the new key seals");
    }
}

const EVERY: u64 = 60;

fn from_file(path: &std::path::Path) -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", "off"))
        .merge(("sessions.secret_file", path.to_string_lossy()))
        .merge(("sessions.user.key_reload", EVERY))
}

async fn intervals(count: u64) {
    tokio::time::sleep(Duration::from_secs(count * EVERY + 1)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_reloaded_from_their_file_open_at_once_and_seal_after_two_intervals() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("keys");
    let write = |keys: &[&str]| std::fs::write(&file, keys.join("\n")).expect("a file");
    write(&[KEY]);
    let node = client_with(from_file(&file), Sessions::fairing(), vec![]).await;
    let only = async |key: &str| client(figment("client").merge(("sessions.secret", key))).await;
    let (old, new) = (only(KEY).await, only(OTHER_KEY).await);
    let (by_old, by_new) = (logged_in(&old, "ann").await, logged_in(&new, "bob").await);
    assert_eq!(text(&node, "/get", &by_new).await, "absent");

    write(&[OTHER_KEY, KEY]);
    intervals(1).await;
    assert_eq!(text(&node, "/get", &by_new).await, "bob 0", "a new key opens at once");
    let response = with_cookie(&node, "/get", &by_new).await;
    assert_eq!(sent(&response), None, "what a faster node has sealed is not sealed back");
    let token = logged_in(&node, "eve").await;
    assert_eq!(text(&old, "/get", &token).await, "eve 0", "but it does not seal yet");

    for broken in ["not a key", "", "hex:00"] {
        write(&[broken]);
        intervals(1).await;
        assert_eq!(text(&node, "/get", &by_old).await, "ann 0", "{broken:?}: the keys stay");
        assert_eq!(text(&node, "/get", &by_new).await, "bob 0", "{broken:?}: the keys stay");
    }
    std::fs::remove_file(&file).expect("it goes");
    intervals(1).await;
    assert_eq!(text(&node, "/get", &by_old).await, "ann 0", "no file: the keys stay");

    write(&[OTHER_KEY, KEY]);
    intervals(2).await;
    let token = logged_in(&node, "eve").await;
    assert_eq!(text(&new, "/get", &token).await, "eve 0", "two intervals later it seals");
    let reissued = sent(&with_cookie(&node, "/get", &by_old).await).expect("re-issued");
    assert_eq!(text(&new, "/get", &reissued).await, "ann 0");

    write(&[OTHER_KEY]);
    intervals(1).await;
    assert_eq!(text(&node, "/get", &by_old).await, "absent", "a key that is gone opens nothing");
    assert_eq!(text(&node, "/get", &reissued).await, "ann 0");
}
