//! A small shop, as an application of many pages uses the crate: accounts,
//! "remember me", a cart that survives the login, devices, an admin area that
//! asks for the password again, languages, and a JSON interface.
//!
//! ```sh
//! cargo run --example showcase
//! ```
//!
//! Open <http://localhost:8000>, and look at this:
//!
//! - Put something into the cart, then register: the cart is still there.
//! - Log in with a second browser. "Devices" lists both; log the other one out.
//! - Log in as `admin` with the password `admin-password`, and open "Admin".
//! - Choose German or the dark theme: an encrypted cookie keeps the choice.
//! - `curl -i -d '{"product":1,"quantity":2}' -H 'Content-Type: application/json' localhost:8000/api/cart`
//!   answers with the header `Shop-Session`, which a mobile client sends back.
//!
//! One variable moves the sessions to Redis. The language and the theme stay in their cookie:
//!
//! ```sh
//! ROCKET_SESSIONS__STORAGE='{type="redis",url="redis://127.0.0.1/"}' \
//!     cargo run --example showcase --features redis
//! ```
//!
//! The cookies have the prefix `__Host-`, so they need HTTPS or `http://localhost`.
//! Safari needs HTTPS there, too; `ROCKET_SESSIONS__COOKIE__PREFIX=none` does without.

mod accounts;
mod admin;
mod api;
mod cart;
mod devices;
mod errors;
mod headers;
mod login;
mod next;
mod page;
mod password;
mod preferences;
mod products;
mod session;
mod shop;
mod texts;
mod user;

use rocket::fairing::AdHoc;
use rocket::figment::providers::{Env, Format, Toml};
use rocket::figment::{Figment, Profile};
use rocket::fs::FileServer;
use rocket::{Build, Rocket, catchers, launch, routes};
use rocket_dyn_templates::Template;
use rocket_typed_sessions::{Sessions, SessionsFairing};

use self::accounts::Accounts;

/// Where this example's configuration, templates and pictures are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/showcase");

/// As Rocket's own, but with the Rocket.toml beside this file, whatever the working directory is.
fn figment() -> Figment {
    let file = Env::var_or("ROCKET_CONFIG", format!("{FOLDER}/Rocket.toml"));
    Figment::from(rocket::Config::default())
        .merge(Toml::file(file).nested())
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE"]).global())
        .select(Profile::from_env_or("ROCKET_PROFILE", rocket::Config::DEFAULT_PROFILE))
}

/// The shop. A test passes a fairing with a clock that it moves.
pub fn shop(sessions: SessionsFairing) -> Rocket<Build> {
    rocket::custom(figment())
        .attach(sessions)
        .attach(Template::fairing())
        .attach(AdHoc::config::<api::Config>())
        .attach(Accounts::fairing())
        .attach(headers::fairing())
        .attach(api::fairing())
        .mount("/static", FileServer::from(format!("{FOLDER}/static")))
        .mount("/", routes![shop::index, shop::product])
        .mount("/", routes![shop::cart, shop::add, shop::remove])
        .mount("/", routes![login::form, login::log_in, login::log_out, login::is_logged_out])
        .mount("/", routes![login::register_form, login::register])
        .mount("/", routes![password::form, password::change])
        .mount("/", routes![password::confirm_form, password::confirm])
        .mount("/", routes![devices::list, devices::end, devices::others, devices::everywhere])
        .mount("/", routes![admin::area, admin::confirm_first])
        .mount("/", routes![admin::log_out, admin::confirm_before_log_out])
        .mount("/", routes![preferences::form, preferences::save])
        .mount("/api", routes![api::cart, api::add, api::end, api::preflight])
        .register("/", catchers![errors::page])
        .register("/login", catchers![errors::old_form])
        .register("/register", catchers![errors::old_form])
        .register("/confirm", catchers![errors::old_session])
        .register("/api", catchers![errors::json])
}

#[launch]
fn rocket() -> _ {
    shop(Sessions::fairing())
}
