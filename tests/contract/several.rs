//! Several session types in one request.

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::*;

#[derive(Clone, Serialize, Deserialize)]
struct Cart(String);

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

#[get("/both/<bytes>")]
fn both(user: Session<User>, cart: Session<Cart>, bytes: usize) {
    user.update(|user| user.count += 1);
    cart.set(Cart("x".repeat(bytes)));
}

#[get("/out")]
fn out(user: Session<User>, _cart: Session<Cart>) {
    user.clear();
}

#[get("/cart")]
fn cart(cart: Session<Cart>) -> String {
    cart.get().map_or_else(|| "none".into(), |cart| cart.0.len().to_string())
}

async fn both_in(user: &str, cart_in: &str, fault: &Faulty) -> Client {
    let figment = figment(user).merge(("sessions.cart.storage", cart_in));
    let fairing = Sessions::fairing().storage("fault", fault.clone());
    client_with(figment, fairing, routes![both, out, cart]).await
}

fn cookies(response: &rocket::local::asynchronous::LocalResponse<'_>) -> Vec<String> {
    let all = response.headers().get("Set-Cookie");
    all.filter_map(|cookie| cookie.split(';').next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn each_has_its_own_token_and_ending_one_leaves_the_other() {
    for (user, cart) in [("client", "client"), ("memory", "memory"), ("client", "memory")] {
        let client = both_in(user, cart, &faulty()).await;
        let token = logged_in(&client, "ann").await;
        let sent = cookies(&with_cookie(&client, "/both/3", &token).await);
        assert_eq!(sent.len(), if user == "client" { 2 } else { 1 }, "{user} {cart}: {sent:?}");
        let cart = sent.iter().find(|cookie| cookie.starts_with("cart=")).expect("a cart");
        let header = format!("{token}; {cart}");
        let response = with_cookie(&client, "/out", &header).await;
        assert_eq!(cookies(&response), ["user="]);
        assert_eq!(text(&client, "/cart", &header).await, "3");
    }
}

#[tokio::test]
async fn s12_one_value_over_the_limit_writes_none_of_them() {
    for (user, cart) in [("client", "client"), ("memory", "memory"), ("memory", "client")] {
        let client = both_in(user, cart, &faulty()).await;
        let token = logged_in(&client, "ann").await;
        let response = with_cookie(&client, "/both/70000", &token).await;
        assert_eq!(response.status(), Status::InternalServerError);
        assert_eq!(cookies(&response), [""; 0], "{user} {cart}");
        assert_eq!(text(&client, "/get", &token).await, "ann 0", "{user} {cart}");
    }
}

#[tokio::test]
async fn s65_a_storage_that_fails_lets_no_client_token_out_but_those_of_committed_records() {
    // The user's record commits first, then the cart's storage fails.
    let fault = faulty();
    let client = both_in("memory", "fault", &fault).await;
    let token = logged_in(&client, "ann").await;
    break_writes(&fault, &down());
    let response = with_cookie(&client, "/both/3", &token).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    assert_eq!(text(&client, "/get", &token).await, "ann 1", "committed before the failure");
    // The user's token is the client's: nothing of it may go out.
    let fault = faulty();
    let client = both_in("client", "fault", &fault).await;
    let token = logged_in(&client, "ann").await;
    break_writes(&fault, &down());
    let response = with_cookie(&client, "/both/3", &token).await;
    assert_eq!((response.status(), cookies(&response)), (Status::ServiceUnavailable, vec![]));
}
