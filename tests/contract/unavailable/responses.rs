//! Fairings and catchers that would make a success of it.

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::response::Redirect;
use rocket::{Request, catch, catchers, get, routes};
use rocket_typed_sessions::{Session, Sessions};

use super::*;
use crate::support::*;

/// The session is looked at behind the first of the two response fairings.
#[get("/later")]
pub fn later(cart: Session<Cart>) {
    cart.set(Cart(3));
}

#[tokio::test]
async fn s65_a_fairing_that_swallows_the_error_gets_503_and_no_committed_token_is_lost() {
    for before in [true, false] {
        let storage = faulty();
        let looks = AdHoc::on_response("looks", |request, response| {
            Box::pin(async move {
                if request.guard::<Session<User>>().await.succeeded().is_none() {
                    response.set_status(Status::Ok);
                    response.set_raw_header("Location", "/login");
                }
            })
        });
        let figment = figment("faulty").merge(("sessions.cart.storage", "memory"));
        let fairing = Sessions::fairing().storage("faulty", storage.clone());
        let rocket = rocket::custom(figment).mount("/", routes()).mount("/", login_route());
        let rocket = if before {
            rocket.attach(looks).attach(fairing)
        } else {
            rocket.attach(fairing).attach(looks)
        };
        let client = Client::untracked(rocket).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        storage.set(Operation::Read, down());
        let response = with_cookie(&client, "/later", &token).await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{before}");
        assert_eq!(header(&response, "Location"), None, "{before}");
        assert_eq!(header(&response, "Retry-After"), Some("1"), "{before}");
        // Behind the first commit it has happened already.
        let cart = cookie_of(&response, "cart");
        assert_eq!(cart.is_some(), !before);
        if let Some(cart) = cart {
            assert_eq!(text(&client, "/try/read", &cart).await, "absent 3");
        }
    }
}

#[tokio::test]
async fn s65_no_fairing_makes_a_success_of_it() {
    let storage = faulty();
    let pretends = AdHoc::on_response("pretends", |_, response| {
        Box::pin(async move { response.set_status(Status::Ok) })
    });
    let client = Client::untracked(rocket(&storage).attach(pretends)).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    for uri in ["/option", "/get", "/fails/500"] {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
    }
}

#[catch(503)]
fn pretends() -> (Status, &'static str) {
    (Status::Ok, "all is well")
}

#[catch(503)]
fn redirects() -> Redirect {
    Redirect::to("/login")
}

#[catch(503)]
async fn looks(request: &Request<'_>) -> &'static str {
    let session = request.guard::<Session<User>>().await;
    if session.is_success() { "" } else { "looked" }
}

#[tokio::test]
async fn s65_no_catcher_makes_a_success_of_it() {
    for (catchers, body) in [
        (catchers![pretends], Some("all is well")),
        (catchers![redirects], None),
        (catchers![looks], Some("looked")),
    ] {
        let storage = faulty();
        let fairing = Sessions::fairing().storage("faulty", storage.clone());
        let rocket = rocket::custom(figment("faulty").merge(("sessions.cart.storage", "memory")))
            .attach(fairing)
            .mount("/", routes())
            .mount("/", login_route())
            .mount("/", routes![count])
            .register("/", catchers);
        let client = Client::untracked(rocket).await.expect("a rocket");
        let token = logged_in(&client, "ann").await;
        for (operation, uri) in [(Operation::Read, "/option"), (Operation::Update, "/add")] {
            storage.set(operation, down());
            let response = with_cookie(&client, uri, &token).await;
            assert_eq!(response.status(), Status::ServiceUnavailable, "{uri}");
            assert_eq!(header(&response, "Location"), None, "{uri}");
            if operation == Operation::Read {
                assert_eq!(response.into_string().await.as_deref(), body);
            }
            storage.mend();
        }
    }
}
