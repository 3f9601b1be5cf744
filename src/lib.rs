// The pages that the README links to. A link of Markdown has its first definition, so in the crate's
// documentation these stand before the relative ones.
#![doc = concat!("[configuration]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/docs/configuration.md")]
#![doc = concat!("[guide]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/docs/guide.md")]
//!
#![doc = include_str!("../README.md")]
//!
//! # The path of a request
//!
//! A guard loads the session, the application's calls change what it asks for, and
//! the response fairing commits that once. `docs/architecture.md` shows the path
//! through the sources.

// The hosted documentation names the feature of each item; only nightly compilers can.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod absence;
mod application;
mod auth;
mod awaited;
mod background;
mod by_id;
mod by_value;
mod client;
mod codec;
mod commit;
pub mod config;
mod crypto;
pub mod csrf;
mod data;
mod deadline;
mod definition;
mod error;
pub mod event;
mod expiry;
mod fairing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
mod hints;
mod ktor;
mod manager;
mod method;
mod namespace;
#[cfg(feature = "okapi")]
mod okapi;
mod plan;
mod request;
mod route_uses;
mod session;
mod sessions;
pub mod storage;
mod table;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod tracked;
pub mod transformer;
pub mod transport;
mod try_session;

// Its examples compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/responses.md")]
struct Responses;

#[cfg(doctest)]
#[doc = include_str!("../docs/recipes.md")]
struct Recipes;

#[cfg(all(doctest, feature = "okapi"))]
#[doc = include_str!("../docs/openapi.md")]
struct OpenApi;

pub use absence::Absence;
pub use auth::{Authenticate, Authenticated, RecentlyAuthenticated};
pub use client::ClientInfo;
pub use config::SessionConfig;
pub use data::SessionData;
pub use error::{DecodeError, EncodeError, SessionError};
pub use expiry::Lifetime;
pub use fairing::SessionsFairing;
pub use manager::{SessionHandle, SessionInfo, SessionManager};
pub use session::Session;
pub use sessions::Sessions;
pub use token::{InvalidSessionId, SessionId};
pub use try_session::TrySession;
