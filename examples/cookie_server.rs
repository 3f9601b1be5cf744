//! A cart in the server's memory. The cookie carries a signed id.
//!
//! ```sh
//! cargo run --example cookie_server
//! curl -sL -c jar -b jar http://127.0.0.1:8000/login   # Product IDs: [1, 3, 7]
//! curl -s  -c jar -b jar http://127.0.0.1:8000/cart    # Product IDs: [1, 3, 7]
//! curl -sL -c jar -b jar http://127.0.0.1:8000/logout  # Your basket is empty.
//! ```

use rocket::response::Redirect;
use rocket::{get, launch, routes, uri};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct CartSession {
    product_ids: Vec<u32>,
}

impl SessionData for CartSession {
    const NAME: &'static str = "cart_session";
}

#[get("/login")]
fn login(session: Session<CartSession>) -> Redirect {
    session.login(CartSession { product_ids: vec![1, 3, 7] });
    Redirect::to(uri!(cart))
}

#[get("/cart")]
fn cart(session: Session<CartSession>) -> String {
    match session.get() {
        Some(cart) => format!("Product IDs: {:?}", cart.product_ids),
        None => "Your basket is empty.".into(),
    }
}

#[get("/logout")]
fn logout(session: Session<CartSession>) -> Redirect {
    session.clear();
    Redirect::to(uri!(cart))
}

#[launch]
fn rocket() -> _ {
    rocket::build().attach(Sessions::fairing()).mount("/", routes![login, cart, logout])
}
