//! The key of CSRF tokens: what nobody without it can compute, which key of a list
//! makes them, and what is where there is none.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rocket::error::ErrorKind;
use rocket::figment::Figment;
use rocket::http::{ContentType, Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{Route, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfHeader, CsrfToken};
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::concurrency::storages;
use crate::csrf_requests::{TYPED, multipart};
use crate::support::*;

#[get("/token")]
fn token(csrf: CsrfToken<User>) -> String {
    csrf.to_string()
}

#[get("/told")]
fn told(session: Session<User>) -> String {
    match session.csrf_token() {
        Ok(token) => token.map(|token| token.to_string()).unwrap_or_default(),
        Err(SessionError::Unsupported(why)) => why.into_owned(),
        Err(cause) => panic!("{cause}"),
    }
}

#[get("/start")]
fn start(session: Session<User>) {
    session.get_or_insert_with(|| user(""));
}

/// How many of the lines are the session's token.
#[post("/guess", data = "<lines>")]
fn guess(csrf: CsrfToken<User>, lines: &str) -> String {
    lines.lines().filter(|line| csrf.verify(line).is_ok()).count().to_string()
}

#[post("/script")]
fn script(_csrf: CsrfHeader<User>) {}

#[post("/form", data = "<_form>")]
fn form(_form: CsrfForm<User, std::collections::HashMap<String, String>>) {}

async fn verified(client: &Client, cookie: &str, tokens: &[String]) -> usize {
    let request = client.post("/guess").header(Header::new("Cookie", cookie.to_owned()));
    let request = request.header(ContentType::Plain).body(tokens.join("\n"));
    let count = request.dispatch().await.into_string().await.expect("a body");
    count.parse().expect("a session and a number")
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any key");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// A token for this tag, under a mask of zeros.
fn token_of(tag: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([&[0; 16], &tag[..16]].concat())
}

fn tag_of(token: &str) -> Vec<u8> {
    let bytes = URL_SAFE_NO_PAD.decode(token).expect("base64url");
    bytes[..16].iter().zip(&bytes[16..]).map(|(mask, masked)| mask ^ masked).collect()
}

/// What can be read in a session's token, whichever kind it has.
fn values_in(cookie: &str) -> Vec<Vec<u8>> {
    let text = cookie.strip_prefix("user=").expect("the cookie");
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let mut values = vec![text.as_bytes().to_vec(), bytes.clone()];
    let mut part = |from: usize, to: usize| values.extend(bytes.get(from..to).map(<[u8]>::to_vec));
    // Key id, locator, secret, the whole id and its tag; a client session's id,
    // generation and what is around.
    let ends =
        [(2, 6), (6, 22), (22, 38), (6, 38), (38, 70), (54, 70), (70, 74), (54, 74), (6, 74)];
    for (from, to) in ends {
        part(from, to);
    }
    part(bytes.len() - 16, bytes.len());
    part(bytes.len() - 32, bytes.len());
    values
}

/// Every token that the values of a client give by an HMAC, the former algorithm's
/// among them.
fn guesses(cookies: &[String], tokens: &[String]) -> Vec<String> {
    let mut values: Vec<_> = cookies.iter().flat_map(|cookie| values_in(cookie)).collect();
    values.extend(tokens.iter().map(|token| tag_of(token)));
    values.extend(tokens.iter().map(|token| token.as_bytes().to_vec()));
    let mut messages = vec![b"user".to_vec(), Vec::new()];
    for rotations in 0_u32..4 {
        let former = [b"rsess1/csrf/".as_slice(), &rotations.to_be_bytes(), b"user"].concat();
        messages.push(former);
        messages.extend(values.iter().map(|value| [value, &rotations.to_be_bytes()[..]].concat()));
    }
    messages.extend(values.iter().cloned());
    let keys = values.iter().cloned().chain([Vec::new(), b"rsess1".to_vec()]);
    let mut guesses: Vec<_> = keys
        .flat_map(|key| messages.iter().map(move |message| hmac(&key, message)).collect::<Vec<_>>())
        .map(|tag| token_of(&tag))
        .collect();
    let long = values.iter().filter(|value| value.len() >= 16);
    guesses.extend(long.map(|value| token_of(value)));
    guesses.extend(tokens.iter().cloned());
    guesses
}

#[tokio::test]
async fn s68_nothing_that_a_client_ever_held_gives_the_token_after_a_login_or_a_renewal() {
    let dir = tempfile::tempdir().expect("a folder");
    let signed = figment("client").merge(("sessions.user.protect", "sign"));
    let figments = [figment("client"), signed].into_iter().chain(storages(dir.path()));
    for figment in figments {
        let figment = figment.merge(("limits.string", "64 MiB"));
        let client = client_with(figment, Sessions::fairing(), routes![token, start, guess]).await;
        let planted = sent(&client.get("/start").dispatch().await).expect("a token");
        let (mut cookies, mut tokens) = (vec![planted], Vec::new());
        for route in ["/login/ann", "/renew", "/set/eve", "/renew"] {
            let before = cookies.last().expect("one").clone();
            tokens.push(text(&client, "/token", &before).await);
            let after = sent(&with_cookie(&client, route, &before).await).expect("a token");
            cookies.push(after.clone());
            assert_eq!(verified(&client, &after, &guesses(&cookies, &tokens)).await, 0, "{route}");
            // This is what a guess that is right looks like.
            let own = text(&client, "/token", &after).await;
            let right = [own.clone(), token_of(&tag_of(&own))];
            assert_eq!(verified(&client, &after, &right).await, 2, "{route}");
        }
    }
}

#[tokio::test]
async fn it_is_made_under_the_first_key_and_good_under_every_key() {
    let (old, new) = (KEY, OTHER_KEY);
    let lists: [&[&str]; 4] = [&[old], &[old, new], &[new, old], &[new]];
    for place in ["client", "shared"] {
        let memory = Memory::new(100);
        let mut nodes = Vec::new();
        for list in lists {
            let figment = figment(place).merge(("sessions.secret", list));
            let fairing = Sessions::fairing().storage("shared", memory.clone());
            nodes.push(client_with(figment, fairing, routes![token, guess]).await);
        }
        let cookie = logged_in(&nodes[0], "ann").await;
        let early = text(&nodes[0], "/token", &cookie).await;
        let second = text(&nodes[1], "/token", &cookie).await;
        assert_eq!(tag_of(&early), tag_of(&second), "the first key makes it");
        let response = with_cookie(&nodes[2], "/token", &cookie).await;
        let fresh = sent(&response).expect("sealed under the new key");
        let late = response.into_string().await.expect("a body");
        assert_ne!(tag_of(&early), tag_of(&late), "the first key makes it");
        let all = [early.clone(), late.clone()];
        for node in &nodes[1..3] {
            for cookie in [&cookie, &fresh] {
                assert_eq!(verified(node, cookie, &all).await, 2, "{place}");
            }
        }
        assert_eq!(verified(&nodes[0], &cookie, &all).await, 1, "{place}: it has one key");
        assert_eq!(verified(&nodes[3], &fresh, &[early]).await, 0, "{place}: the old one is gone");
        assert_eq!(verified(&nodes[3], &fresh, &[late]).await, 1, "{place}");
    }
}

/// Without a key for its tokens, and none to inherit.
fn unprotected(storage: &str) -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", "off"))
        .merge(("sessions.user.storage", storage))
        .merge(("sessions.user.protect", "none"))
        .merge(("sessions.user.allow_insecure", true))
}

async fn launches(figment: Figment, routes: Vec<Route>) -> bool {
    match build(figment, Sessions::fairing(), routes).ignite().await {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::SentinelAborts(_)), "{error}");
            false
        }
    }
}

#[tokio::test]
async fn without_a_key_a_csrf_guard_refuses_launch_and_a_secret_serves_it_alone() {
    for place in PLACES {
        for guard in [routes![token], routes![script], routes![form]] {
            assert!(!launches(unprotected(place), guard.clone()).await, "{place}");
            let own = unprotected(place).merge(("sessions.user.secret", KEY));
            assert!(launches(own, guard.clone()).await, "{place}");
            let inherited = unprotected(place).merge(("sessions.secret", KEY));
            assert!(launches(inherited, guard).await, "{place}");
        }
        let client = client_with(unprotected(place), Sessions::fairing(), routes![told]).await;
        let ann = logged_in(&client, "ann").await;
        let why = text(&client, "/told", &ann).await;
        assert!(why.contains("write `secret = \"…\"`"), "{why}");
        assert_eq!(text(&client, "/told", "").await, why, "without a session too");

        let of = async |secret: &str| {
            let figment = unprotected(place).merge(("sessions.user.secret", secret));
            client_with(figment, Sessions::fairing(), routes![told, guess, token]).await
        };
        let (one, other) = (of(KEY).await, of(OTHER_KEY).await);
        let ann = logged_in(&one, "ann").await;
        assert!(!ann.contains("AgP") && !ann.contains("AgE"), "not sealed: {ann}");
        let csrf = [text(&one, "/told", &ann).await];
        assert_eq!(verified(&one, &ann, &csrf).await, 1, "{place}");
        if place == "client" {
            assert_eq!(text(&other, "/get", &ann).await, "ann 0", "the secret seals nothing");
            assert_eq!(verified(&other, &ann, &csrf).await, 0, "{place}");
        }
    }
}

/// It cannot know which of the keys the other nodes have.
#[tokio::test(start_paused = true)]
async fn a_node_that_starts_during_a_change_makes_tokens_that_every_node_verifies() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("keys");
    let figment = || figment("client").merge(("sessions.user.renew_after", "never"));
    for keys in [[KEY, OTHER_KEY], [OTHER_KEY, KEY]] {
        std::fs::write(&file, keys.join("\n")).expect("a file");
        let reload = Figment::from(rocket::Config::default())
            .select("release")
            .merge(("log_level", "off"))
            .merge(("sessions.secret_file", file.to_string_lossy()))
            .merge(("sessions.user.key_reload", 60));
        let started = client_with(reload, Sessions::fairing(), routes![token, guess]).await;
        let ann = logged_in(&started, "ann").await;
        let csrf = [text(&started, "/token", &ann).await];
        assert_eq!(csrf[0].split('.').map(str::len).collect::<Vec<_>>(), [43, 43]);
        let cut = [csrf[0][..43].to_owned(), csrf[0][44..].to_owned(), format!("{}.", csrf[0])];
        assert_eq!(verified(&started, &ann, &cut).await, 3, "each is a token alone");
        for key in [KEY, OTHER_KEY] {
            let figment = figment().merge(("sessions.secret", key));
            let routes = routes![token, guess, form, script];
            let node = client_with(figment, Sessions::fairing(), routes).await;
            assert_eq!(verified(&node, &ann, &csrf).await, 1, "{keys:?}");
            let type_ = ContentType::new("multipart", "form-data").with_params(("boundary", "X"));
            let body = multipart(&[(TYPED, &csrf[0])]);
            let cookie = || Header::new("Cookie", ann.clone());
            let sent = node.post("/form").header(cookie()).header(type_).body(body);
            assert_eq!(sent.dispatch().await.status(), Status::Ok, "{keys:?}");
            let sent = node.post("/script").header(cookie());
            let sent = sent.header(Header::new("X-CSRF-Token", csrf[0].clone()));
            assert_eq!(sent.dispatch().await.status(), Status::Ok, "{keys:?}");
            let eve = logged_in(&node, "eve").await;
            assert_eq!(verified(&node, &eve, &csrf).await, 0, "{keys:?}");
            assert_eq!(verified(&node, &ann, &cut[..2]).await, 1, "one is under its key");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_for_csrf_tokens_alone_is_reloaded_from_its_file_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("keys");
    let write = |keys: &[&str]| std::fs::write(&file, keys.join("\n")).expect("a file");
    write(&[KEY]);
    let figment = unprotected("client")
        .merge(("sessions.user.secret_file", file.to_string_lossy()))
        .merge(("sessions.user.key_reload", 60));
    let node = client_with(figment, Sessions::fairing(), routes![token, guess]).await;
    let figment = unprotected("client").merge(("sessions.user.secret", OTHER_KEY));
    let new = client_with(figment, Sessions::fairing(), routes![token, guess]).await;
    let ann = logged_in(&node, "ann").await;
    let [by_old, by_new] = [text(&node, "/token", &ann).await, text(&new, "/token", &ann).await];
    let both = [by_old.clone(), by_new];
    assert_eq!(verified(&node, &ann, &both).await, 1);
    write(&[OTHER_KEY, KEY]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(verified(&node, &ann, &both).await, 2, "a new key verifies at once");
    let made = text(&node, "/token", &ann).await;
    assert_eq!(tag_of(&made), tag_of(&by_old), "but makes none yet");
    tokio::time::sleep(Duration::from_secs(121)).await;
    let made = text(&node, "/token", &ann).await;
    assert_ne!(tag_of(&made), tag_of(&by_old), "two intervals later it does");
    write(&[OTHER_KEY]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(verified(&node, &ann, &both).await, 1, "the old key is gone");
}
