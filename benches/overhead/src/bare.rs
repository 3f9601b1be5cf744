//! The application without sessions, and what it shares with those that are measured.

use rocket::figment::Figment;
use rocket::{Build, Rocket, get, routes};

/// It keeps its seven digits, so every write has the length of the one before.
pub const FIRST_COUNT: u32 = 1_000_000;

/// What a handler answers: the text where it found what it looks for, else 404.
pub type Found = Option<&'static str>;

/// Rocket with the defaults of the release profile, without its log. The key is for Rocket's
/// private cookies, which peers use.
pub fn figment() -> Figment {
    Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", "off"))
        .merge(("secret_key", "hPRYyVRiMyxpw5sBB1XeCMN1kFsDCqKvBi2QJxBVHQk="))
}

/// One route and no sessions.
pub fn bare() -> Rocket<Build> {
    rocket::custom(figment()).mount("/", routes![plain])
}

/// The measured route.
#[get("/plain")]
pub fn plain() -> Found {
    Some("found")
}
