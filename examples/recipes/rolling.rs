//! Every request prolongs the session, and polling does not.
//!
//! By default a use is written down once in a tenth of `idle_timeout`, so a session
//! lives a little longer than it says. `touch_after = 0` writes every use down.
//!
//! - A session ends `idle_timeout` after the last request that was a use, to the
//!   second.
//! - Requests that a page sends by itself are no use: `skip_touch`. A browser that
//!   is left alone is logged out although its page goes on asking.
//! - The page can tell how much time is left, and prolong it by a button.
//!
//! Every use costs a write to the storage then. Where a longer `touch_after` is
//! good enough, `touch` prolongs the session in the requests that must.
//!
//! ```sh
//! curl -s -c jar -X POST http://127.0.0.1:8000/rolling/login
//! sleep 5
//! curl -s -b jar http://127.0.0.1:8000/rolling/left   # 895 seconds
//! curl -s -b jar http://127.0.0.1:8000/rolling        # 900 seconds
//! ```

use std::time::SystemTime;

use rocket::fairing::AdHoc;
use rocket::{get, post, routes};
use rocket_typed_sessions::{Session, SessionData, SessionError};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Kiosk {}

impl SessionData for Kiosk {
    const NAME: &'static str = "kiosk";
}

/// How long the session lives if it is not used any more.
fn left_of(kiosk: &Session<Kiosk>) -> Result<String, SessionError> {
    let left = kiosk.expires_at().ok_or(SessionError::Ended)?.duration_since(SystemTime::now());
    Ok(format!("{} seconds\n", left.unwrap_or_default().as_secs_f32().round()))
}

#[get("/")]
fn page(kiosk: Session<Kiosk>) -> Result<String, SessionError> {
    left_of(&kiosk)
}

/// The page asks for this every ten seconds.
#[get("/left")]
fn left(kiosk: Session<Kiosk>) -> Result<String, SessionError> {
    kiosk.skip_touch();
    left_of(&kiosk)
}

/// "I am still here". It prolongs the session whatever `touch_after` says.
#[post("/stay")]
fn stay(kiosk: Session<Kiosk>) -> Result<String, SessionError> {
    kiosk.touch();
    left_of(&kiosk)
}

#[post("/login")]
fn login(kiosk: Session<Kiosk>) {
    kiosk.login(Kiosk {});
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("rolling", |rocket| async {
        rocket.mount("/rolling", routes![page, left, stay, login])
    })
}
