//! Shares the sessions of a service that uses Ktor, a Kotlin framework, and then
//! takes them over. Only the configuration changes from step to step; see
//! `docs/migrating-from-ktor.md`.
//!
//! ```sh
//! export ROCKET_SESSIONS__SHOP_USER__SIGN_KEY=hex:…      # the keys of the Ktor service
//! export ROCKET_SESSIONS__SHOP_USER__ENCRYPT_KEY=hex:…
//! ROCKET_SESSIONS__SHOP_USER__FORMAT=ktor cargo run --example ktor_migration          # 1. side by side
//! export ROCKET_SESSIONS__SHOP_USER__SECRET=$(openssl rand -base64 32)
//! ROCKET_SESSIONS__SHOP_USER__ACCEPT='["ktor"]' cargo run --example ktor_migration    # 2. taken over
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::{get, launch, routes};
use rocket_typed_sessions::event::SessionEventKind;
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

/// In Kotlin: `@Serializable data class ShopUser(val userId: String, val cart: List<String>)`
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShopUser {
    user_id: String,
    cart: Vec<String>,
}

impl SessionData for ShopUser {
    const NAME: &'static str = "shop_user";
}

/// Counts the sessions that still came in Ktor's format.
static FROM_KTOR: AtomicUsize = AtomicUsize::new(0);

#[get("/cart")]
fn cart(session: Session<ShopUser>) -> String {
    session.get().map_or_else(
        || "nobody".into(),
        |user| format!("{}: {}", user.user_id, user.cart.join(", ")),
    )
}

#[get("/cart/<product>")]
fn add(session: Session<ShopUser>, product: &str) -> String {
    let product = product.to_owned();
    session.update(move |user| user.cart.push(product.clone()));
    cart(session)
}

/// When this number no longer grows, `accept` can be removed.
#[get("/from-ktor")]
fn from_ktor() -> String {
    FROM_KTOR.load(Ordering::Relaxed).to_string()
}

#[launch]
fn rocket() -> _ {
    let fairing = Sessions::fairing().on_event(|event| {
        if event.kind == SessionEventKind::KtorAccepted {
            FROM_KTOR.fetch_add(1, Ordering::Relaxed);
        }
    });
    rocket::build().attach(fairing).mount("/", routes![cart, add, from_ktor])
}
