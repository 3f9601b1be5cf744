#![doc = include_str!("../README.md")]
//!
//! # The path of a request
//!
//! A guard calls `request::load`, the response fairing `request::commit`. In
//! between, the application's calls change `request::state`, and
//! `request::plan` decides what they amount to. A commit is carried out
//! `by_value` or `by_id`. Below that, *transport* carries a token, *token*
//! seals and opens it, *codec* turns values into bytes, and *storage* keeps
//! records.

mod absence;
mod application;
mod auth;
mod background;
mod by_id;
mod by_value;
mod client;
mod codec;
mod config;
mod crypto;
pub mod csrf;
mod data;
mod definition;
mod error;
pub mod event;
mod expiry;
mod fairing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod ktor;
mod manager;
mod namespace;
mod request;
mod session;
mod sessions;
pub mod storage;
mod table;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
pub mod transformer;
pub mod transport;
mod try_session;

// Its examples compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/responses.md")]
struct Responses;

pub use absence::Absence;
pub use auth::{Authenticate, Authenticated, RecentlyAuthenticated};
pub use client::ClientInfo;
pub use data::SessionData;
pub use error::{DecodeError, EncodeError, SessionError};
pub use expiry::Lifetime;
pub use fairing::SessionsFairing;
pub use manager::{SessionHandle, SessionInfo, SessionManager};
pub use session::Session;
pub use sessions::Sessions;
pub use token::{InvalidSessionId, SessionId};
pub use try_session::TrySession;
