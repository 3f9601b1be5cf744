//! What applications write again and again, each in a file of its own. All of
//! them run here, and `docs/recipes.md` says what each promises.
//!
//! ```sh
//! cargo run --example recipes
//! ```
//!
//! The `Rocket.toml` beside this file configures the sessions. `ROCKET_…` variables
//! take precedence over it.

pub(crate) mod csrf_cookie;
pub(crate) mod double_click;
pub(crate) mod double_submit;
pub(crate) mod flows;
pub(crate) mod next;
pub(crate) mod oauth;
pub(crate) mod password;
pub(crate) mod provider;
pub(crate) mod random;
pub(crate) mod rolling;
pub(crate) mod token_endpoint;
pub(crate) mod token_refresh;
pub(crate) mod user;
pub(crate) mod users;

use rocket::figment::Figment;
use rocket::figment::providers::{Env, Format, Toml};
use rocket::{Build, Config, Rocket, launch};
use rocket_typed_sessions::{Sessions, SessionsFairing};

/// Rocket's usual sources, with a Rocket.toml that is part of the program.
pub fn figment() -> Figment {
    let profile = std::env::var("ROCKET_PROFILE").map_or(Config::DEFAULT_PROFILE, Into::into);
    Figment::from(Config::default())
        .merge(Toml::string(include_str!("Rocket.toml")).nested())
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE"]).global())
        .select(profile)
}

/// All recipes in one application.
pub fn build(figment: Figment, sessions: SessionsFairing) -> Rocket<Build> {
    rocket::custom(figment)
        .attach(sessions)
        .attach(user::stage())
        .attach(next::stage())
        .attach(double_click::stage())
        .attach(password::stage())
        .attach(token_refresh::stage())
        .attach(provider::stage())
        .attach(oauth::stage())
        .attach(double_submit::stage())
        .attach(csrf_cookie::CsrfCookie)
        .attach(csrf_cookie::stage())
        .attach(rolling::stage())
}

#[launch]
fn rocket() -> _ {
    build(figment(), Sessions::fairing())
}
