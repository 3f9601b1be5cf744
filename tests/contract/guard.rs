//! The request guard `Session<T>`.

use rocket::http::{Header, Status};
use rocket::{get, routes};
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

#[tokio::test]
async fn a_session_begins_is_read_changed_and_ended() {
    for place in PLACES {
        let client = client(figment(place)).await;
        let first = logged_in(&client, "ann").await;
        assert_eq!(text(&client, "/get", &first).await, "ann 0", "{place}");
        let response = with_cookie(&client, "/count", &first).await;
        let now = sent(&response).unwrap_or(first);
        assert_eq!(text(&client, "/get", &now).await, "ann 1", "{place}");
        let response = with_cookie(&client, "/clear", &now).await;
        let removal = response.headers().get_one("Set-Cookie").expect("a removal");
        assert!(removal.starts_with(
            "user=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure"
        ));
        if place == "memory" {
            assert_eq!(text(&client, "/get", &now).await, "absent", "s46: a replay is dead");
        }
    }
}

#[tokio::test]
async fn s6_the_release_profile_sends_exact_attributes() {
    let client = client(figment("memory")).await;
    let response = client.get("/login/ann").dispatch().await;
    let cookie = response.headers().get_one("Set-Cookie").expect("a cookie");
    let (token, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(token.len(), "user=".len() + 94);
    let (lifetime, rest) = attributes.split_once(" GMT; ").expect("an expiry");
    assert!(lifetime.starts_with("Max-Age=2592000; Expires="), "{lifetime}");
    assert_eq!(rest, "Path=/; Secure; HttpOnly; SameSite=Lax");
}

#[tokio::test]
async fn s3_s5_a_login_and_a_renewal_take_a_fresh_id_and_kill_the_old_one() {
    let client = client(figment("memory")).await;
    let first = logged_in(&client, "ann").await;
    for change in ["/renew", "/login/bob", "/set/eve"] {
        let old = logged_in(&client, "ann").await;
        let new = sent(&with_cookie(&client, change, &old).await).expect("a fresh token");
        assert_ne!(new, old);
        assert_eq!(text(&client, "/get", &old).await, "absent", "{change}");
        assert_ne!(text(&client, "/get", &new).await, "absent", "{change}");
    }
    assert_eq!(text(&client, "/get", &first).await, "ann 0", "others are untouched");
    let ended = sent(&with_cookie(&client, "/clear", &first).await).expect("a removal");
    assert_eq!(ended, "user=");
    let fresh = sent(&with_cookie(&client, "/set/ann", &first).await).expect("a token");
    assert_ne!(fresh, first, "a client's dead id is never adopted");
}

#[tokio::test]
async fn s15_every_response_that_used_the_guard_is_private() {
    for place in PLACES {
        let client = client(figment(place)).await;
        let token = logged_in(&client, "ann").await;
        for uri in ["/get", "/count", "/clear"] {
            let response = with_cookie(&client, uri, &token).await;
            assert_eq!(response.headers().get_one("Vary"), Some("Cookie"), "{place} {uri}");
            assert_eq!(
                response.headers().get_one("Cache-Control"),
                Some("no-store"),
                "{place} {uri}"
            );
        }
        let missing = client.get("/nowhere").dispatch().await;
        assert!(
            !missing.headers().contains("Vary") && !missing.headers().contains("Cache-Control")
        );
    }
}

#[get("/twice")]
fn twice(one: Session<User>, two: Session<User>) -> String {
    one.update(|user| user.count += 1);
    two.update(|user| user.count += 10);
    one.renew();
    two.set(two.get().as_deref().cloned().expect("a session"));
    show(&one)
}

#[get("/nothing")]
fn nothing(session: Session<User>) {
    session.set(user("ann"));
    session.clear();
}

#[get("/again")]
fn again(session: Session<User>) -> String {
    session.clear();
    session.set(user("ann"));
    session.id().expect("valid right after set").to_text()
}

#[get("/panics")]
fn panics(session: Session<User>) -> String {
    let session_of_the_panic = session.clone();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        session_of_the_panic.update(|_| panic!("in user code"));
    }));
    assert!(caught.is_err());
    show(&session)
}

#[tokio::test]
async fn s14_several_changes_and_guards_are_one_write_and_one_token() {
    for place in PLACES {
        let client = client_with(
            figment(place),
            Sessions::fairing(),
            routes![twice, nothing, again, panics],
        )
        .await;
        let token = logged_in(&client, "ann").await;
        let response = with_cookie(&client, "/twice", &token).await;
        let token = sent(&response).expect("one token");
        assert_eq!(response.into_string().await.as_deref(), Some("ann 11"), "{place}");
        assert_eq!(text(&client, "/get", &token).await, "ann 11", "{place}");
        assert_eq!(text(&client, "/panics", &token).await, "ann 11", "{place}");
        assert_eq!(sent(&client.get("/nothing").dispatch().await), None, "set, then clear");
    }
}

#[tokio::test]
async fn clear_then_set_is_a_new_session_whose_id_is_known_at_once() {
    let client = client_with(figment("memory"), Sessions::fairing(), routes![again]).await;
    let old = logged_in(&client, "ann").await;
    let response = with_cookie(&client, "/again", &old).await;
    let new = sent(&response).expect("a token");
    let id = response.into_string().await.expect("the id");
    assert_eq!(text(&client, "/get", &old).await, "absent");
    assert_eq!(text(&client, "/get", &new).await, "ann 0");
    let raw = base64(&new["user=".len()..]);
    assert_eq!(raw[6..38], base64(&id), "the id is the one that was told");
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

#[tokio::test]
async fn the_local_clients_own_cookies_work_too() {
    let rocket = build(figment("memory"), Sessions::fairing(), vec![]);
    let client = rocket::local::asynchronous::Client::tracked(rocket).await.expect("a rocket");
    client.get("/login/ann").dispatch().await;
    assert_eq!(client.get("/count").dispatch().await.into_string().await.as_deref(), Some("ann 1"));
    client.get("/clear").dispatch().await;
    assert_eq!(client.get("/get").dispatch().await.into_string().await.as_deref(), Some("absent"));
}

#[tokio::test]
async fn s16_s18_a_header_session_is_read_from_its_header_only() {
    let figment = figment("memory")
        .merge(("sessions.user.transport", "header"))
        .merge(("sessions.user.name", "x-user"));
    let client = client(figment).await;
    let response = client.get("/login/ann").dispatch().await;
    let token = response.headers().get_one("x-user").expect("a token").to_owned();
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    let get = |headers: Vec<Header<'static>>| {
        let request = headers.into_iter().fold(client.get("/get"), |request, header| {
            let mut request = request;
            request.add_header(header);
            request
        });
        async move { request.dispatch().await.into_string().await.expect("a body") }
    };
    let header = |name: &'static str, value: &str| Header::new(name, value.to_owned());
    assert_eq!(get(vec![header("X-USER", &token)]).await, "ann 0");
    assert_eq!(get(vec![header("x-user", &token), header("x-user", "evil")]).await, "absent");
    assert_eq!(get(vec![header("x-user", &format!("{token},{token}"))]).await, "absent");
    assert_eq!(get(vec![header("Cookie", &format!("x-user={token}"))]).await, "absent");
    let logout = client.get("/clear").header(header("x-user", &token)).dispatch().await;
    assert_eq!((logout.status(), logout.headers().contains("x-user")), (Status::Ok, false));
    assert_eq!(get(vec![header("x-user", &token)]).await, "absent");
}
