//! The `csrf` table.

use crate::table::{schema, table_field};

/// The default name of the form field that [`CsrfForm`](crate::csrf::CsrfForm) reads. A session's
/// table can configure another name: `csrf = { field = "…" }`.
pub const CSRF_FIELD: &str = "csrf_token";
/// The default name of the header that [`CsrfHeader`](crate::csrf::CsrfHeader) and
/// [`CsrfForm`](crate::csrf::CsrfForm) read. A session's table can configure another name:
/// `csrf = { header = "…" }`.
pub const CSRF_HEADER: &str = "X-CSRF-Token";

schema! {
    /// The table `csrf` of a session: where its CSRF tokens are looked for, and from which other
    /// origins requests may come.
    pub struct CsrfConfig {
        /// The name of the form field that holds the token.
        field: String = {
            default: "`\"csrf_token\"`",
            refuses: "an empty name, control characters, and `_method`, in which Rocket reads the method",
            example: "authenticity_token".into(),
        },
        /// The name of the header that holds the token.
        header: String = {
            default: "`\"X-CSRF-Token\"`",
            refuses: "text that is no header name, headers with a meaning of their own, and a header that carries a session",
            example: "X-XSRF-Token".into(),
        },
        /// The origins that may send unsafe requests in addition to the application's own:
        /// `scheme://host[:port]`.
        trusted_origins: Vec<String> = {
            default: "`[]`",
            refuses: "anything but an origin: a path, a `*`, `null`, names in other scripts than ASCII",
            example: vec!["https://pay.example".into()],
        },
    }
}

table_field!(CsrfConfig);
