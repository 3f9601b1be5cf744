//! What the same request changed elsewhere, and who asks for the error with `TrySession`.

use rocket::get;
use rocket::http::Status;
use rocket_typed_sessions::{Session, Sessions, TrySession};

use super::*;
use crate::support::*;

#[get("/both/<what>")]
pub fn both(user: Option<Session<User>>, cart: Session<Cart>, what: &str) -> &'static str {
    match what {
        "begin" => cart.set(Cart(1)),
        "count" => drop(cart.update(|cart| cart.0 += 1)),
        "clear" => cart.clear(),
        _ => {}
    }
    if user.is_some() { "served" } else { "hello, stranger" }
}

/// What it has saved itself stays saved.
#[get("/saved")]
pub async fn saved(user: Option<Session<User>>, cart: Session<Cart>) -> &'static str {
    cart.set(Cart(7));
    cart.save().await.expect("its storage answers");
    cart.update(|cart| cart.0 = 100);
    if user.is_some() { "served" } else { "hello, stranger" }
}

#[get("/try/<what>")]
pub fn try_it(user: TrySession<User>, cart: Session<Cart>, what: &str) -> String {
    both(None, cart.clone(), what);
    let cart = cart.get().map_or_else(String::new, |cart| cart.0.to_string());
    match user {
        TrySession::Present(session) => format!("present {} {cart}", show(&session)),
        TrySession::Absent(session) => format!("{} {cart}", show(&session)),
        TrySession::Unavailable(cause) => format!("{} {cart}", cause.status().code),
    }
}

#[get("/try-and-guard")]
pub fn try_and_guard(user: TrySession<User>, _again: Option<Session<User>>) -> String {
    format!("{user:?}")
}

#[get("/guard-and-try")]
pub fn guard_and_try(_again: Option<Session<User>>, user: TrySession<User>) -> String {
    format!("{:?}", user.clone())
}

#[tokio::test]
async fn s65_what_the_request_changed_elsewhere_is_dropped_but_for_ends() {
    let (client, token, storage) = broken().await;
    let begin = || client.get("/both/begin").dispatch();
    let both = format!("{token}; {}", cookie_of(&begin().await, "cart").expect("a token"));
    let cart = async |cookie: &str| text(&client, "/try/read", cookie).await;
    assert_eq!(cart(&both).await, "503 1");
    for what in ["begin", "count"] {
        for cookie in [&both, &token] {
            let response = with_cookie(&client, &format!("/both/{what}"), cookie).await;
            assert_eq!(header(&response, "Vary"), Some("Cookie"));
            assert_unavailable(response, what).await;
        }
        assert_eq!(cart(&both).await, "503 1", "{what}");
    }
    // What it has saved before has happened, and the client must know.
    let response = with_cookie(&client, "/saved", &token).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    let saved = cookie_of(&response, "cart").expect("a token");
    assert_eq!(cart(&format!("{token}; {saved}")).await, "503 7");
    let response = with_cookie(&client, "/both/clear", &both).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    assert_eq!(cookie_of(&response, "cart").as_deref(), Some("cart="));
    assert_eq!(cart(&both).await, "503 ");
    storage.mend();
    assert_eq!(cart(&both).await, "present ann 0 ");
}

#[tokio::test]
async fn s65_try_session_says_which_it_is_and_leaves_the_rest_of_the_request_alone() {
    let (client, token, storage) = broken().await;
    let response = with_cookie(&client, "/try/begin", &token).await;
    assert_eq!(response.status(), Status::Ok);
    assert_eq!(header(&response, "Cache-Control"), Some("no-store"));
    assert_eq!(header(&response, "Vary"), Some("Cookie"));
    let both = format!("{token}; {}", cookie_of(&response, "cart").expect("a token"));
    assert_eq!(cookie_of(&response, "user"), None);
    assert_eq!(text(&client, "/try/count", &both).await, "503 2");
    let response = with_cookie(&client, "/try/read", &both).await;
    assert_eq!(header(&response, "Cache-Control"), Some("no-store"));
    assert_eq!(response.into_string().await.as_deref(), Some("503 2"));
    assert_eq!(
        client.get("/try/read").dispatch().await.into_string().await.expect("a body"),
        "absent "
    );
    for uri in ["/try-and-guard", "/guard-and-try"] {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
        assert!(
            client
                .get(uri)
                .dispatch()
                .await
                .into_string()
                .await
                .expect("a body")
                .contains("Absent")
        );
    }
    storage.set(Operation::Read, Fault::Hangs);
    assert_eq!(text(&client, "/try/read", &both).await, "503 2");
    storage.mend();
    assert_eq!(text(&client, "/try/read", &both).await, "present ann 0 2");
    assert!(text(&client, "/try-and-guard", &both).await.contains("Present"));
}

/// A storage that is behind a client session: what has ended.
#[tokio::test]
async fn s65_a_revocation_storage_that_cannot_answer_is_no_logout_either() {
    let storage = faulty();
    let figment = figment("client")
        .merge(("sessions.user.revocation", "faulty"))
        .merge(("sessions.cart.storage", "memory"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let client = client_with(figment, fairing, routes()).await;
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    for uri in ["/option", "/authenticated", "/result"] {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
    }
    assert_eq!(text(&client, "/try/read", &token).await, "503 ");
}
