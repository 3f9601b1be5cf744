//! Parts that an application brings: transports, transformers, listeners.

use std::borrow::Cow;
use std::sync::Arc;

use parking_lot::Mutex;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{Request, Response};
use rocket_typed_sessions::event::SessionEventKind;
use rocket_typed_sessions::event::SessionEventKind::{
    ChangesDropped, Created, Ended, Expired, Rejected, Renewed,
};
use rocket_typed_sessions::transformer::{SessionTransformer, TransformError};
use rocket_typed_sessions::transport::{Outgoing, SessionTransport, SizeLimit};
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

/// `Authorization: Bearer …`, answered in a header named as configured.
struct Bearer;

impl SessionTransport for Bearer {
    fn receive<'r>(&self, request: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
        let values = request.headers().get("Authorization");
        values.filter_map(|value| value.strip_prefix("Bearer ")).map(Cow::Borrowed).collect()
    }

    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
        response.set_raw_header(name.to_owned(), outgoing.token.to_owned());
    }

    fn clear(&self, response: &mut Response<'_>, name: &str) {
        response.set_raw_header(name.to_owned(), "forget");
    }

    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        Some("Authorization")
    }

    fn limit(&self, _: &str) -> SizeLimit {
        SizeLimit { bytes: 500, overhead: 0 }
    }
}

async fn bearer<'c>(
    client: &'c Client,
    uri: &'c str,
    token: &str,
) -> rocket::local::asynchronous::LocalResponse<'c> {
    client.get(uri).header(Header::new("Authorization", format!("Bearer {token}"))).dispatch().await
}

#[tokio::test]
async fn a_custom_transport_carries_every_kind_of_session() {
    for place in PLACES {
        let figment = figment(place)
            .merge(("sessions.user.transport", "bearer"))
            .merge(("sessions.user.name", "X-Token"));
        let fairing = Sessions::fairing().transport("bearer", Bearer);
        let client = client_with(figment, fairing, vec![]).await;
        let response = client.get("/login/ann").dispatch().await;
        assert_eq!(response.headers().get_one("Vary"), Some("Authorization"));
        let token = response.headers().get_one("X-Token").expect("a token").to_owned();
        let response = bearer(&client, "/count", &token).await;
        assert_eq!(response.into_string().await.as_deref(), Some("ann 1"), "{place}");
        let long = format!("/set/{}", "x".repeat(500));
        let response = bearer(&client, &long, &token).await;
        let expected = if place == "client" { Status::InternalServerError } else { Status::Ok };
        assert_eq!(response.status(), expected, "{place}: the transport's own limit");
        // Another owner's value is another session.
        let token = response.headers().get_one("X-Token").map_or(token, str::to_owned);
        let response = bearer(&client, "/clear", &token).await;
        assert_eq!(response.headers().get_one("X-Token"), Some("forget"));
    }
}

/// Panics where it can.
struct Broken;

impl SessionTransport for Broken {
    fn receive<'r>(&self, _: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
        Vec::new()
    }

    fn send(&self, _: &mut Response<'_>, _: &str, _: Outgoing<'_>) {
        panic!("cannot send")
    }

    fn clear(&self, _: &mut Response<'_>, _: &str) {}

    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }
}

#[tokio::test]
async fn a_transport_that_panics_gives_500_and_keeps_the_connection() {
    let figment = figment("client").merge(("sessions.user.transport", "broken"));
    let fairing = Sessions::fairing().transport("broken", Broken);
    let client = client_with(figment, fairing, vec![]).await;
    let response = client.get("/login/ann").dispatch().await;
    assert_eq!(response.status(), Status::InternalServerError);
}

/// Puts its letter in front; reads only what begins with it.
struct Letter(u8);

impl SessionTransformer for Letter {
    fn write(&self, mut payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        if payload.windows(6).any(|part| part == b"refuse") {
            return Err(TransformError::new("as asked"));
        }
        payload.insert(0, self.0);
        Ok(payload)
    }

    fn read(&self, mut payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        if payload.first() != Some(&self.0) {
            return Err(TransformError::new("another letter"));
        }
        payload.remove(0);
        Ok(payload)
    }
}

async fn lettered(storage: &str, transform: &[&str], fault: &Faulty) -> Client {
    let figment = figment(storage).merge(("sessions.user.transform", transform));
    let fairing = Sessions::fairing()
        .transformer("a", Letter(b'a'))
        .transformer("b", Letter(b'b'))
        .storage("kept", fault.clone());
    client_with(figment, fairing, vec![]).await
}

#[tokio::test]
async fn transformers_apply_in_order_and_what_they_cannot_read_is_absent() {
    for place in ["client", "kept"] {
        let fault = faulty();
        let both = lettered(place, &["a", "b"], &fault).await;
        let token = logged_in(&both, "ann").await;
        assert_eq!(text(&both, "/count", &token).await, "ann 1", "{place}");
        for other in [&["b", "a"][..], &["a"], &["b"]] {
            let client = lettered(place, other, &fault).await;
            let seen = text(&client, "/get", &token).await;
            // `b` alone undoes the outer letter; the payload is then no JSON.
            assert_eq!(seen, "absent", "{place}: {other:?}");
        }
        let response = with_cookie(&both, "/set/refuse", &token).await;
        assert_eq!((response.status(), sent(&response)), (Status::InternalServerError, None));
        assert_ne!(text(&both, "/get", &token).await, "absent", "{place}: the old one holds");
    }
}

#[rocket::get("/clear-then-set")]
fn clear_then_set(session: Session<User>) {
    session.clear();
    session.set(user("next"));
}

#[tokio::test]
async fn s53_every_step_in_a_sessions_life_is_one_event() {
    for place in PLACES {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let fairing = Sessions::fairing()
            .on_event(|_| panic!("a listener that panics harms nobody"))
            .on_event(move |event| {
                assert_eq!(event.session, "user");
                seen.lock().push(event.kind);
            });
        let routes = rocket::routes![clear_then_set];
        let client = client_with(figment(place), fairing, routes).await;
        let take = || std::mem::take(&mut *events.lock());
        let none: [SessionEventKind; 0] = [];

        text(&client, "/get", "unrelated=1").await;
        assert_eq!(take(), none);
        let token = logged_in(&client, "ann").await;
        assert_eq!(take(), [Created], "{place}");
        text(&client, "/count", &token).await;
        text(&client, "/get", &token).await;
        assert_eq!(take(), none, "{place}");
        let renewed = sent(&with_cookie(&client, "/renew", &token).await).expect("a token");
        assert_eq!(take(), [Renewed], "{place}");
        text(&client, "/get", "user=AQIDBA").await;
        assert_eq!(take(), [Rejected], "{place}");
        with_cookie(&client, "/clear-then-set", &renewed).await;
        assert_eq!(take(), [Ended, Created], "{place}");
        let last = logged_in(&client, "ann").await;
        assert_eq!(take(), [Created], "{place}");
        with_cookie(&client, "/clear", &last).await;
        assert_eq!(take(), [Ended], "{place}");
        with_cookie(&client, "/clear", "").await;
        assert_eq!(take(), none, "{place}: there was nothing to end");
        if place == "memory" {
            text(&client, "/get", &renewed).await;
            assert_eq!(take(), [Expired], "a genuine token whose session is over");
        }
        assert!(!take().contains(&ChangesDropped));
    }
}
