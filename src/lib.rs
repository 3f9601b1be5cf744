#![doc = include_str!("../README.md")]
//!
//! # The path of a request
//!
//! A guard calls `load`, the response fairing calls `commit`; both
//! stand in `exchange`, which orders the steps and is the only place that
//! does. Below it, *transport* carries a token, *token* seals and opens it,
//! *tracker* turns it into a session by value or by id, *storage* keeps
//! records, and [`SessionData`] is the serializer.

mod auth;
mod background;
mod client;
mod config;
mod csrf;
mod definition;
mod error;
mod event;
mod exchange;
mod expiry;
mod fairing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod ktor;
mod manager;
mod random;
mod request;
mod revocation;
mod session;
mod state;
pub mod storage;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod tracker;
mod transformer;
mod transport;

pub use auth::{Authenticate, Authenticated, RecentlyAuthenticated};
pub use client::ClientInfo;
pub use csrf::{
    CSRF_FIELD, CSRF_HEADER, CsrfError, CsrfForm, CsrfFormError, CsrfGuardError, CsrfHeader,
    CsrfToken,
};
pub use error::{DecodeError, EncodeError, SessionError};
pub use event::{SessionEvent, SessionEventKind};
pub use fairing::SessionsFairing;
pub use manager::{SessionHandle, SessionInfo, SessionManager, Sessions};
pub use session::{Session, SessionData};
pub use storage::{SessionStorage, StorageError};
pub use token::{InvalidSessionId, SessionId};
pub use transformer::{SessionTransformer, TransformFailed};
pub use transport::{Outgoing, SessionTransport, SizeLimit};
