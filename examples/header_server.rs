//! A cart in the directory `build/.sessions`. The `cart_session` header carries a
//! signed id, which the clients of an API send back.
//!
//! ```sh
//! cargo run --example header_server
//! token=$(curl -si http://127.0.0.1:8000/login | sed -n 's/\r$//; s/^cart_session: //p')
//! curl -s -H "cart_session: $token" http://127.0.0.1:8000/cart    # Product IDs: [1, 3, 7]
//! curl -s -H "cart_session: $token" http://127.0.0.1:8000/logout  # Your session has ended.
//! curl -s -H "cart_session: $token" http://127.0.0.1:8000/cart    # Your basket is empty.
//! ```

use rocket::{get, launch, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct CartSession {
    product_ids: Vec<u32>,
}

impl SessionData for CartSession {
    const NAME: &'static str = "header_cart"; // its table names the header `cart_session`
}

#[get("/login")]
fn login(session: Session<CartSession>) -> &'static str {
    session.login(CartSession { product_ids: vec![1, 3, 7] });
    "Your basket is ready: send the cart_session header with every request."
}

#[get("/cart")]
fn cart(session: Session<CartSession>) -> String {
    match session.get() {
        Some(cart) => format!("Product IDs: {:?}", cart.product_ids),
        None => "Your basket is empty.".into(),
    }
}

#[get("/logout")]
fn logout(session: Session<CartSession>) -> &'static str {
    session.clear();
    "Your session has ended."
}

#[launch]
fn rocket() -> _ {
    rocket::build().attach(Sessions::fairing()).mount("/", routes![login, cart, logout])
}
