//! Protection against cross-site request forgery (CSRF), with tokens that are bound to a session.
//!
//! A page shows the [`CsrfToken`] of its session. [`CsrfForm`] and [`CsrfHeader`]
//! admit a request only with that token. [The guide](crate::guide::csrf) describes
//! them.
//!
//! - The token is an HMAC under a server key (OWASP, "Cross-Site Request Forgery
//!   Prevention Cheat Sheet"). It is not stored, and no client can compute it.
//! - The first key of the list makes tokens. Every key of the list verifies them.
//! - [`Session::login`](crate::Session::login) and
//!   [`Session::renew`](crate::Session::renew) invalidate all previous tokens.
//!   `renew_after` and [`Session::reauthenticate`](crate::Session::reauthenticate)
//!   do not, so that forms in open tabs can still be sent.
//! - Each page shows the token under a new random mask, so the size of a compressed
//!   page reveals nothing about it (the BREACH attack).

mod check;
mod form;
mod header;
mod origin;
mod sentinel;
mod token;

pub use check::CsrfGuardError;
pub use form::{CsrfForm, CsrfFormError};
pub use header::CsrfHeader;
pub use token::{CsrfError, CsrfToken};

pub use crate::config::{CSRF_FIELD, CSRF_HEADER};
