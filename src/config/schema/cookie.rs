//! The `cookie` table.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::settings::CookiePrefix;
use crate::table::{CookieMaxAge, schema, table_field};
use crate::transport::SameSite;

schema! {
    /// The table `cookie` of a session: the attributes of its cookie.
    pub struct CookieConfig {
        /// The path below which the browser sends the cookie.
        path: String = {
            default: "`\"/\"`",
            refuses: "a path that does not begin with `/`; `;`, line breaks, control characters and anything but ASCII; any path but `/` with the prefixes `host` and `host-http`",
            example: "/shop".into(),
        },
        /// The domain whose hosts receive the cookie. Without it, only the host that set the
        /// cookie receives it, which is safer.
        domain: String = {
            default: "none",
            refuses: "anything but a host name: a URL, a port, spaces; any domain with the prefixes `host` and `host-http`",
            example: "example.com".into(),
        },
        /// How long the browser keeps the cookie. `"session"` keeps it until the browser is
        /// closed. Browsers keep no cookie for more than 400 days.
        max_age: CookieMaxAge = {
            default: "`absolute_timeout` for a server storage; for a client storage, as long as the session lives without being used: `idle_timeout` plus `touch_after`, at most `absolute_timeout`",
            refuses: "zero",
            example: CookieMaxAge::After(Duration::from_secs(30 * 86_400)),
        },
        /// Whether the browser sends the cookie over HTTPS only.
        secure: bool = {
            default: "`true`; `false` in the debug profile without TLS, unless another attribute needs it",
            refuses: "`false` outside the debug profile without `allow_insecure`; `false` beside a prefix, `partitioned` or `same_site = \"none\"`",
            example: true,
        },
        /// Whether the cookie is hidden from JavaScript.
        http_only: bool = {
            default: "`true`",
            refuses: "`false` outside the debug profile without `allow_insecure`; `false` with the prefixes `http` and `host-http`",
            example: true,
        },
        /// Whether the browser sends the cookie with requests that come from other sites. `"lax"`
        /// sends it when a user follows a link. `"unset"` leaves the attribute out, and each
        /// browser decides.
        same_site: SameSite = {
            default: "`\"lax\"`",
            refuses: "`\"none\"` without `secure`",
            example: SameSite::Strict,
        },
        /// Whether the browser keeps a separate cookie for each site that embeds the application.
        partitioned: bool = {
            default: "`false`",
            refuses: "`true` without `secure`",
            example: true,
        },
        /// A prefix of the cookie's name with which browsers enforce its attributes: `host` is
        /// `__Host-`, `secure` is `__Secure-`, `host-http` is `__Host-Http-`, and `http` is
        /// `__Http-`.
        prefix: CookiePrefix = {
            default: "`\"none\"`",
            refuses: "attributes that the prefix forbids",
            example: CookiePrefix::Host,
        },
        /// Further attributes. An empty text writes the attribute's name alone.
        extensions: BTreeMap<String, String> = {
            default: "none",
            refuses: "attributes that have a key of their own; `;`, line breaks and control characters",
            example: BTreeMap::from([("Priority".into(), "High".into())]),
        },
    }
}

table_field!(CookieConfig);
