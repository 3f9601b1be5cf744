//! The schema of the configuration: one struct for each table, one field for each key.
//!
//! Reading, the messages for unknown keys, [`SessionConfig`] and `docs/configuration.md` are all
//! made from these structs, and from those of [`storage::schema`](crate::storage::schema). The
//! macro [`schema!`](crate::table::schema) takes each key once, with everything that is known of
//! it.

mod cookie;
mod csrf;
mod ktor;
mod session;
mod words;

pub use cookie::CookieConfig;
pub use csrf::CsrfConfig;
pub use ktor::KtorConfig;
pub use session::SessionConfig;
pub(crate) use session::{KEYS_OF_SECRETS, NOT_SHARED};
