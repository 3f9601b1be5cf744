//! Helpers for tests of applications and storages (feature `testing`).
//!
//! - [`SessionRequest`] gives a session to a request. [`SessionResponse`] and
//!   [`AsyncSessionResponse`] read the session that a response leaves.
//! - [`Clock`] is a clock that the test moves.
//! - [`storage`] tests whether a storage keeps its promises, and what an
//!   application does when its storage fails.
//!
//! ```
//! # use rocket_typed_sessions::{Session, SessionData, Sessions};
//! # #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! # struct User { name: String }
//! # impl SessionData for User { const NAME: &'static str = "user"; }
//! # #[rocket::post("/logout")]
//! # fn logout(session: Session<User>) { session.clear() }
//! # let rocket = rocket::custom(rocket::Config::figment().merge(("sessions.user.storage", "memory")))
//! #     .attach(Sessions::fairing()).mount("/", rocket::routes![logout]);
//! use rocket::local::blocking::Client;
//! use rocket_typed_sessions::testing::{SessionRequest, SessionResponse};
//!
//! // `rocket` is the application, whose `/logout` calls `session.clear()`.
//! let client = Client::untracked(rocket).expect("a valid configuration");
//! let response = client.post("/logout").session(&User { name: "ann".into() }).dispatch();
//! assert!(client.session_after::<User>(&response).is_none());
//! ```

mod client;
mod clock;
pub mod storage;

pub use client::{AsyncSessionResponse, SessionRequest, SessionResponse};
pub use clock::Clock;
