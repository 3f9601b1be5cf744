//! Keys change as an operator changes them, while users are logged in.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::testing::Clock;

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
async fn deploy(place: &str, dir: &Path, keys: &[&str]) -> Client {
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

fn from_file(path: &Path) -> Figment {
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

/// A node that reads its keys from this file now.
async fn started(file: &Path, clock: &Clock) -> Client {
    client_with(from_file(file), Sessions::fairing().clock(clock), vec![]).await
}

/// Which of the two keys seal on this node.
async fn sealing(node: &Client, clock: &Clock) -> &'static str {
    let token = logged_in(node, "ann").await;
    let opens = async |key: &str| {
        let figment = figment("client").merge(("sessions.secret", key));
        let other = client_with(figment, Sessions::fairing().clock(clock), vec![]).await;
        text(&other, "/get", &token).await == "ann 0"
    };
    match (opens(KEY).await, opens(OTHER_KEY).await) {
        (true, true) => "each",
        (true, false) => "old",
        (false, true) => "new",
        (false, false) => "none",
    }
}

/// Writes the file as it is at a moved clock's time.
fn write_at(file: &Path, keys: &[&str], time: SystemTime) {
    let fresh = file.with_extension("fresh");
    std::fs::write(&fresh, keys.join("\n")).expect("a file");
    let written = std::fs::File::options().append(true).open(&fresh).expect("it is there");
    written.set_modified(time).expect("its time");
    std::fs::rename(fresh, file).expect("it replaces the other");
}

fn shown(clock: &Clock) -> SystemTime {
    clock.now().to_system_time().expect("a time")
}

/// One node ran before the change, one begins after it, and one is caught in a
/// loop of restarts. The new key is in the first line or in the last.
#[tokio::test(start_paused = true)]
async fn s32_throughout_a_rollover_every_node_reads_what_any_node_seals() {
    for place in PLACES {
        for (keys, last) in [([OTHER_KEY, KEY], "new"), ([KEY, OTHER_KEY], "old")] {
            roll_over(place, keys, last).await;
        }
    }
}

async fn roll_over(place: &str, keys: [&str; 2], last: &str) {
    const STEP: u64 = 19;
    let dir = tempfile::tempdir().expect("a folder");
    let (file, clock) = (dir.path().join("keys"), Clock::new());
    let pass = async |seconds| {
        clock.advance(Duration::from_secs(seconds));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    };
    let started = async || {
        let figment = from_file(&file);
        let figment = match place {
            "client" => figment,
            _ => figment
                .merge(("sessions.user.storage.type", "directory"))
                .merge(("sessions.user.storage.path", dir.path().join("records"))),
        };
        client_with(figment, Sessions::fairing().clock(&clock), vec![]).await
    };
    write_at(&file, &[KEY], shown(&clock));
    let before = started().await;
    pass(40).await;
    write_at(&file, &keys, shown(&clock));
    let after = started().await;
    let mut tokens = Vec::new();
    for step in 0..12 {
        let restarted = started().await;
        let nodes = [&before, &after, &restarted];
        for node in nodes {
            tokens.push(logged_in(node, "ann").await);
        }
        for token in &tokens {
            for (n, node) in nodes.into_iter().enumerate() {
                let seen = text(node, "/get", token).await;
                assert_eq!(seen, "ann 0", "{place} {keys:?}: step {step}, node {n}");
            }
        }
        if place == "client" {
            let expected = if step * STEP < 2 * EVERY { "each" } else { last };
            for node in [&after, &restarted] {
                assert_eq!(sealing(node, &clock).await, expected, "{keys:?}: step {step}");
            }
        }
        pass(STEP).await;
    }
    // No node keeps the other one, and a client comes back from several tokens to one.
    for node in [&before, &after] {
        let token = logged_in(node, "ann").await;
        assert!(!token.contains('.'), "{place} {keys:?}: {token}");
        let again = sent(&with_cookie(node, "/get", &tokens[1]).await).expect("sealed again");
        assert!(tokens[1].contains('.') && !again.contains('.'), "{place} {keys:?}: {again}");
        if place == "client" {
            assert_eq!(sealing(node, &clock).await, last);
        }
    }
}

/// The storage is the client, so the token grows with the value.
#[tokio::test(start_paused = true)]
async fn where_the_cookie_has_no_room_for_several_tokens_the_last_key_seals() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, clock) = (dir.path().join("keys"), Clock::new());
    write_at(&file, &[OTHER_KEY, KEY], shown(&clock));
    let (node, old) = (started(&file, &clock).await, client(figment("client")).await);
    let login = async |length: usize| {
        let uri: &'static str = format!("/login/{}", "a".repeat(length)).leak();
        sent(&with_cookie(&node, uri, "").await).expect("a token")
    };
    for (length, several) in [(100, true), (1_000, true), (1_800, false), (2_600, false)] {
        let token = login(length).await;
        assert_eq!(token.contains('.'), several, "{length}: {}", token.len());
        let expected = format!("{} 0", "a".repeat(length));
        assert_eq!(text(&old, "/get", &token).await, expected, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_change_while_a_node_starts_are_read_when_it_has_started() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, clock) = (dir.path().join("keys"), Clock::new());
    write_at(&file, &[KEY], shown(&clock));
    let node = build(from_file(&file), Sessions::fairing().clock(&clock), vec![]);
    let node = node.ignite().await.expect("a valid configuration");
    write_at(&file, &[OTHER_KEY], shown(&clock));
    let token = logged_in(&started(&file, &clock).await, "ann").await;
    intervals(3).await;
    let node = Client::untracked(node).await.expect("it starts");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(text(&node, "/get", &token).await, "ann 0");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_behind_an_older_one_does_not_seal() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, clock) = (dir.path().join("keys"), Clock::new());
    write_at(&file, &[KEY], shown(&clock));
    let node = started(&file, &clock).await;
    write_at(&file, &[KEY, OTHER_KEY], shown(&clock));
    for _ in 0..4 {
        intervals(1).await;
        assert_eq!(sealing(&node, &clock).await, "old");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_with_another_time_than_that_of_its_change_holds_no_key_back_for_ever() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, clock) = (dir.path().join("keys"), Clock::new());
    let year = Duration::from_secs(365 * 86_400);
    for (time, what) in [(shown(&clock) - year, "kept"), (shown(&clock) + year, "in the future")] {
        write_at(&file, &[OTHER_KEY, KEY], time);
        let node = started(&file, &clock).await;
        assert_eq!(sealing(&node, &clock).await, "each", "a time that is {what}");
        intervals(2).await;
        assert_eq!(sealing(&node, &clock).await, "new", "a time that is {what}");
    }
    // As it is without `key_reload`: the operator goes step by step.
    let figment = from_file(&file).merge(("sessions.user.key_reload", "never"));
    let node = client_with(figment, Sessions::fairing().clock(&clock), vec![]).await;
    assert_eq!(sealing(&node, &clock).await, "new");
    // And for keys that come from elsewhere, whatever the file.
    let figment = from_file(&file).merge(("sessions.user.secret", [OTHER_KEY, KEY]));
    let node = client_with(figment, Sessions::fairing().clock(&clock), vec![]).await;
    assert_eq!(sealing(&node, &clock).await, "new");
}

/// By the clocks of the system and of the file system.
#[tokio::test]
async fn a_file_that_is_moved_or_linked_into_its_place_is_as_young_as_that() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, clock) = (dir.path().join("keys"), Clock::new());
    let at = |name: &str| dir.path().join(name);
    let link = |target: &str, name: &str| {
        let _ = std::fs::remove_file(at("link"));
        std::os::unix::fs::symlink(target, at("link")).expect("a link");
        std::fs::rename(at("link"), at(name)).expect("it replaces the other");
    };
    let seals = async |file: &Path, expected: &str, when: &str| {
        clock.set(SystemTime::now().into());
        let figment = from_file(file).merge(("sessions.user.key_reload", 2));
        let node = client_with(figment, Sessions::fairing().clock(&clock), vec![]).await;
        assert_eq!(sealing(&node, &clock).await, expected, "{when}");
    };
    // As Kubernetes has it: a link to a link to a folder.
    for folder in ["one", "two"] {
        std::fs::create_dir(at(folder)).expect("a folder");
        std::fs::write(at(folder).join("keys"), [OTHER_KEY, KEY].join("\n")).expect("a file");
    }
    std::fs::write(at("prepared"), [OTHER_KEY, KEY].join("\n")).expect("a file");
    link("one", "current");
    link("current/keys", "keys");
    tokio::time::sleep(Duration::from_millis(4100)).await;
    seals(&file, "new", "everything is old").await;
    link("two", "current");
    seals(&file, "each", "the folder's link is new").await;
    seals(&at("two/keys"), "new", "without the link").await;
    std::fs::rename(at("prepared"), at("moved")).expect("it is moved");
    seals(&at("moved"), "each", "moved").await;
    link("one/keys", "keys");
    seals(&file, "each", "the file's link is new").await;
    seals(&at("one/keys"), "new", "without the link").await;
}
