// What the README and the guide link to. Of two definitions of a link, Markdown uses the first one.
// So this list comes first, and the README's own definitions serve other readers.
#![doc = include_str!("guide/links.md")]
//! [Session]: Session
//!
#![doc = include_str!("../README.md")]
//!
//! # The path of a request
//!
//! A guard loads the session. The calls in the handler record changes. Before the
//! response is sent, the fairing saves them once.
//! [Architecture](guide::architecture) shows the path through the sources.

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
mod handle;
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

pub use absence::Absence;
pub use auth::{Authenticate, Authenticated, RecentlyAuthenticated};
pub use client::ClientInfo;
pub use config::SessionConfig;
pub use data::SessionData;
pub use error::{DecodeError, EncodeError, SessionError};
pub use expiry::Lifetime;
pub use fairing::SessionsFairing;
pub use handle::SessionHandle;
pub use manager::{SessionInfo, SessionManager};
pub use session::Session;
pub use sessions::Sessions;
pub use token::{InvalidSessionId, SessionId};
pub use try_session::TrySession;
