//! A session whose transport or storage fails beside another one of the same request.

use std::time::Duration;

use rocket::http::Status;
use rocket::{Request, Response, get, routes};
use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::support::*;

/// A transport of the application's that panics when it sends.
struct Panics;

impl SessionTransport for Panics {
    fn receive<'r>(&self, request: &'r Request<'_>, name: &str) -> Vec<std::borrow::Cow<'r, str>> {
        request.headers().get(name).map(std::borrow::Cow::Borrowed).collect()
    }

    fn send(&self, _: &mut Response<'_>, _: &str, _: Outgoing<'_>) {
        panic!("on purpose")
    }

    fn clear(&self, _: &mut Response<'_>, _: &str) {
        panic!("on purpose")
    }

    fn vary<'a>(&self, name: &'a str) -> Option<&'a str> {
        assert_ne!(name, "X-Vary", "on purpose");
        Some(name)
    }
}

#[get("/renew-both/<first>")]
fn renew_both(request: Both, first: &str) {
    let Both(user, cart) = request;
    if first == "cart" {
        cart.set(Cart(1));
    }
    user.renew();
    cart.set(Cart(2));
}

struct Both(Session<User>, Session<Cart>);

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for Both {
    type Error = SessionError;

    async fn from_request(
        request: &'r Request<'_>,
    ) -> rocket::request::Outcome<Self, SessionError> {
        let cart_first = request.uri().path().ends_with("cart");
        if cart_first {
            let _ = request.guard::<Session<Cart>>().await;
        }
        let user = request.guard::<Session<User>>().await.expect("a session");
        let cart = request.guard::<Session<Cart>>().await.expect("a session");
        rocket::outcome::Outcome::Success(Self(user, cart))
    }
}

#[tokio::test]
async fn c22_a_transport_that_panics_costs_no_other_session_its_token() {
    for (first, name) in [("cart", "X-Cart"), ("user", "X-Cart"), ("cart", "X-Vary")] {
        let figment = figment("memory")
            .merge(("sessions.cart.storage", "memory"))
            .merge(("sessions.cart.transport", "panics"))
            .merge(("sessions.cart.name", name));
        let fairing = Sessions::fairing().transport("panics", Panics);
        let client = client_with(figment, fairing, routes![renew_both]).await;
        let token = logged_in(&client, "ann").await;
        let response = with_cookie(&client, &format!("/renew-both/{first}"), &token).await;
        assert_eq!(response.status(), Status::InternalServerError, "{first}");
        assert_eq!(response.headers().get_one("Cache-Control"), Some("no-store"), "{first}");
        let renewed = sent(&response).expect("the other session's token");
        assert_eq!(text(&client, "/get", &renewed).await, "ann 0", "{first}");
    }
}

#[get("/slow-both")]
fn slow_both(user: Session<User>, cart: Session<Cart>) {
    user.set(crate::support::user("ann"));
    cart.set(Cart(1));
}

#[tokio::test]
async fn c14_one_sessions_slow_storage_spends_no_other_sessions_timeout() {
    let (slow, quick) = (faulty(), faulty());
    let figment = figment("slow")
        .merge(("sessions.user.storage_timeout", "5 seconds"))
        .merge(("sessions.cart.storage", "quick"))
        .merge(("sessions.cart.storage_timeout", "1 second"));
    let fairing = Sessions::fairing().storage("slow", slow.clone()).storage("quick", quick.clone());
    // Not ready at once: a timeout that is spent already would count.
    quick.set(Operation::Create, Fault::Slow(Duration::from_millis(20)));
    let client = client_with(figment, fairing, routes![slow_both]).await;
    let token = logged_in(&client, "ann").await;
    slow.set(Operation::Read, Fault::Slow(Duration::from_millis(1200)));
    slow.set(Operation::Create, Fault::Slow(Duration::from_millis(1200)));
    for token in [&token, ""] {
        let response = with_cookie(&client, "/slow-both", token).await;
        assert_eq!(response.status(), Status::Ok);
        assert!(cookies(&response).iter().any(|cookie| cookie.starts_with("cart=")));
    }
}
