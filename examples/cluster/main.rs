//! One application in several processes. `examples/cluster/run` starts two of them
//! behind nginx, with one Redis, and shows that they share all sessions.
//!
//! Nothing in this code is about that: the lines `storage = …` in its Rocket.toml are enough.

use std::borrow::Cow;

use rocket::{get, launch, post, routes};
use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Login {
    name: String,
}

impl SessionData for Login {
    const NAME: &'static str = "login";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.name.as_str().into())
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Cart {
    items: Vec<u32>,
}

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

/// A real application asks for a password; see the example `auth_form`.
#[post("/login/<name>")]
fn login(session: Session<Login>, name: &str) {
    session.login(Login { name: name.to_owned() });
}

#[get("/me")]
fn me(session: Session<Login>) -> String {
    session.get().map_or_else(|| "nobody".into(), |login| login.name.clone())
}

/// Concurrent requests lose no item, whichever node they reach.
#[post("/cart/<item>")]
fn add(cart: Session<Cart>, item: u32) -> String {
    cart.get_or_insert_with(Cart::default);
    cart.update(move |cart| cart.items.push(item));
    items(cart)
}

#[get("/cart")]
fn items(cart: Session<Cart>) -> String {
    cart.get().map_or(0, |cart| cart.items.len()).to_string()
}

#[post("/logout-everywhere")]
async fn everywhere(
    session: Session<Login>,
    sessions: &Sessions,
) -> Result<Option<String>, SessionError> {
    let Some(name) = session.get().map(|login| login.name.clone()) else { return Ok(None) };
    Ok(Some(sessions.of::<Login>().revoke_owner(&name).await?.to_string()))
}

#[launch]
fn rocket() -> _ {
    rocket::build()
        .attach(Sessions::fairing())
        .mount("/", routes![login, me, add, items, everywhere])
}
