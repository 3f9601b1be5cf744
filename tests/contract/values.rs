//! A value that does not read back as it was is never acknowledged, however it
//! is saved. `tests/values` draws values of every kind.

use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::http::Status;
use rocket::response::stream::TextStream;
use rocket::{get, routes};
use rocket_typed_sessions::transformer::{SessionTransformer, TransformError};
use rocket_typed_sessions::{
    DecodeError, EncodeError, Session, SessionData, SessionError, Sessions,
};
use serde::{Deserialize, Serialize};

use crate::support::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    /// `null` in JSON when it is not finite, which is no number.
    rate: f64,
    /// `null` in JSON when it is not finite, which is none.
    discount: Option<f64>,
}

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

const GOOD: Cart = Cart { rate: 0.1, discount: None };

/// A value that does not decode, or that decodes to another one.
fn bad(how: &str) -> Cart {
    match how {
        "unreadable" => Cart { rate: f64::NAN, ..GOOD },
        _ => Cart { discount: Some(f64::INFINITY), ..GOOD },
    }
}

#[get("/cart/<what>/<how>")]
async fn change(session: Session<Cart>, what: &str, how: &str) -> Result<(), SessionError> {
    let value = bad(how);
    match what {
        "good" => session.set(GOOD),
        "set" => session.set(value),
        "login" => session.login(value),
        "login_with" => drop(session.login_with(move |_| value.clone())),
        "insert" => drop(session.get_or_insert_with(|| value)),
        "update" => drop(session.update(move |cart| *cart = value.clone())),
        "update_now" => drop(session.update_now(move |cart| *cart = value.clone()).await?),
        "save" => {
            session.set(value);
            session.save().await?;
        }
        "swallow" => {
            session.set(value);
            let saved = session.save().await;
            let Err(SessionError::Encode(cause)) = saved else { panic!("{saved:?}") };
            assert!(cause.to_string().contains("values::Cart"), "{cause}");
        }
        _ => {}
    }
    Ok(())
}

#[get("/cart")]
fn cart(session: Session<Cart>) -> String {
    format!("{:?}", session.get().map(|cart| Cart::clone(&cart)))
}

#[get("/late/<how>")]
fn late(session: Session<Cart>, how: &str) -> TextStream![String] {
    let value = bad(how);
    TextStream! {
        // The response is on its way.
        yield String::new();
        session.set(value);
        let saved = session.save().await;
        yield matches!(saved, Err(SessionError::Encode(_))).to_string();
        session.discard();
    }
}

#[get("/both/<how>")]
fn both(user: Session<User>, cart: Session<Cart>, how: &str) {
    user.update(|user| user.count += 1);
    cart.set(bad(how));
}

async fn with_cart(place: &str) -> rocket::local::asynchronous::Client {
    let figment = figment(place).merge(("sessions.cart.storage", place));
    let routes = routes![change, cart, late, both];
    client_with(figment, Sessions::fairing(), routes).await
}

const HOW: [&str; 2] = ["unreadable", "other"];

#[tokio::test]
async fn a_value_that_does_not_read_back_is_500_however_it_is_saved_and_the_old_one_is_whole() {
    for place in PLACES {
        let client = with_cart(place).await;
        for how in HOW {
            let first = with_cookie(&client, &format!("/cart/insert/{how}"), "").await;
            assert_eq!((first.status().code, sent(&first)), (500, None), "{place} {how}");
            let good = client.get("/cart/good/-").dispatch().await;
            let token = sent(&good).expect("a token");
            for what in ["set", "login", "login_with", "update", "update_now", "save", "swallow"] {
                let uri = format!("/cart/{what}/{how}");
                let response = with_cookie(&client, &uri, &token).await;
                assert_eq!((response.status().code, sent(&response)), (500, None), "{place} {uri}");
                let left = text(&client, "/cart", &token).await;
                assert_eq!(left, format!("{:?}", Some(GOOD)), "{place} {uri}");
            }
        }
    }
}

#[tokio::test]
async fn a_late_save_of_a_value_that_does_not_read_back_fails_and_the_old_one_is_whole() {
    let client = with_cart("memory").await;
    let token = sent(&client.get("/cart/good/-").dispatch().await).expect("a token");
    for how in HOW {
        assert_eq!(text(&client, &format!("/late/{how}"), &token).await, "true", "{how}");
        assert_eq!(text(&client, "/cart", &token).await, format!("{:?}", Some(GOOD)), "{how}");
    }
}

#[tokio::test]
async fn where_one_session_of_a_request_does_not_read_back_none_is_written() {
    let client = with_cart("memory").await;
    let token = logged_in(&client, "ann").await;
    for how in HOW {
        let response = with_cookie(&client, &format!("/both/{how}"), &token).await;
        assert_eq!((response.status().code, sent(&response)), (500, None), "{how}");
        assert_eq!(text(&client, "/get", &token).await, "ann 0", "{how}");
    }
}

/// Spoils what it reads or writes, every time or now and then.
struct Spoils {
    reads: bool,
    /// Every time, or every second time.
    every: usize,
    times: AtomicUsize,
}

impl Spoils {
    fn pass(&self, mut payload: Vec<u8>, spoil: bool) -> Vec<u8> {
        if spoil && self.times.fetch_add(1, Ordering::SeqCst).is_multiple_of(self.every) {
            payload.push(b' ');
        }
        payload
    }
}

impl SessionTransformer for Spoils {
    fn write(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        Ok(self.pass(payload, !self.reads))
    }

    fn read(&self, payload: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        Ok(self.pass(payload, self.reads))
    }
}

#[tokio::test]
async fn what_a_transformer_writes_is_what_it_was_seen_to_read_back() {
    for (place, reads) in [("client", true), ("client", false), ("memory", true), ("memory", false)]
    {
        for every in [1, 2] {
            let spoils = Spoils { reads, every, times: AtomicUsize::new(0) };
            let figment = figment(place).merge(("sessions.user.transform", ["spoils"]));
            let fairing = Sessions::fairing().transformer("spoils", spoils);
            let client = client_with(figment, fairing, vec![]).await;
            // JSON allows the space, so only a comparison sees it.
            let first = client.get("/login/ann").dispatch().await;
            assert_eq!((first.status().code, sent(&first)), (500, None), "{place} {reads}");
            let second = client.get("/login/ann").dispatch().await;
            let status = if every == 1 { Status::InternalServerError } else { Status::Ok };
            assert_eq!(second.status(), status, "{place} {reads}");
        }
    }
}

/// How often each of its methods was called, in all tests that use it: one.
static CALLS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

#[derive(Clone, Serialize, Deserialize)]
struct Counted(u32);

impl SessionData for Counted {
    const NAME: &'static str = "counted";

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        CALLS[0].fetch_add(1, Ordering::SeqCst);
        Ok(self.0.to_be_bytes().to_vec())
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        CALLS[1].fetch_add(1, Ordering::SeqCst);
        let bytes = bytes.try_into().map_err(|cause| DecodeError::caused_by("no number", cause))?;
        Ok(Self(u32::from_be_bytes(bytes)))
    }
}

#[get("/counted/<what>")]
async fn counted(session: Session<Counted>, what: &str) -> Result<String, SessionError> {
    match what {
        "set" => session.set(Counted(1)),
        "update" => drop(session.update(|counted| counted.0 += 1)),
        "save" => {
            session.update(|counted| counted.0 += 1);
            session.save().await?;
        }
        "ask" => {
            session.update(|counted| counted.0 += 1);
            drop((session.id(), session.expires_at()));
            session.discard();
        }
        _ => {}
    }
    Ok(session.get().map_or(0, |counted| counted.0).to_string())
}

#[tokio::test]
async fn a_value_is_checked_once_for_each_write_and_never_for_a_question_or_a_read() {
    let figment = figment("memory").merge(("sessions.counted.storage", "memory"));
    let client = client_with(figment, Sessions::fairing(), routes![counted]).await;
    let take = || CALLS.each_ref().map(|calls| calls.swap(0, Ordering::SeqCst));
    let token = sent(&client.get("/counted/set").dispatch().await).expect("a token");
    assert_eq!(take(), [1, 1], "set");
    for (what, value, calls) in [
        ("read", "1", [0, 0]),
        ("update", "2", [1, 1]),
        ("save", "3", [1, 1]),
        ("ask", "3", [2, 0]),
    ] {
        assert_eq!(text(&client, &format!("/counted/{what}"), &token).await, value);
        assert_eq!(take(), calls, "{what}: encoded, decoded");
    }
}
