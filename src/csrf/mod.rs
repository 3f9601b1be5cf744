//! Tokens against cross-site request forgery, tied to a session.
//!
//! The token is an HMAC of the session's name and its CSRF generation under a key
//! of the server, so nothing is stored for it, and nothing that a client holds
//! lets anybody compute it. It is made under the keys that seal and verified
//! under every key of the list. It changes with the id, but for periodic
//! renewals, which would break forms that stand open. Every page shows it under
//! another mask, so that a compressed page gives nothing away (BREACH).

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
