//! A session's table, whose keys `[default.sessions]` may hold for all sessions.

use std::time::Duration;

use rocket::data::{ByteUnit, ToByteUnit};

use super::{CookieConfig, CsrfConfig, KtorConfig};
use crate::config::settings::{AcceptedFormat, Format};
use crate::crypto::Protect;
use crate::crypto::aead::Suite;
use crate::storage::OwnerLimitPolicy;
use crate::storage::schema::{CacheConfig, StorageConfig};
use crate::table::{Field, Key, OneOrMore, SINCE, Timeout, schema};

schema! {
    /// The configuration of one session type as a typed value, for
    /// [`SessionsFairing::configure`](crate::SessionsFairing::configure). Rocket.toml and the
    /// environment take precedence over it.
    ///
    /// Keys and secrets are not among the fields: they belong in the environment or in files.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rocket_typed_sessions::config::{CookieConfig, SessionConfig};
    ///
    /// let config = SessionConfig {
    ///     storage: Some("memory".into()),
    ///     idle_timeout: Some(Duration::from_secs(30 * 60).into()),
    ///     cookie: Some(CookieConfig { path: Some("/shop".into()), ..Default::default() }),
    ///     ..Default::default()
    /// };
    /// # assert_eq!(config.storage.unwrap().kind.as_deref(), Some("memory"));
    /// ```
    pub struct SessionConfig {
        /// What carries the session between client and server: `"cookie"`, `"header"`, or the
        /// name of a registered transport.
        transport: String = {
            default: "`\"cookie\"`",
            refuses: "a name that is not registered",
            example: "header".into(),
        },
        /// The name of the cookie or of the header.
        name: String = {
            default: "the name of the table; for a header with `-` instead of `_`",
            refuses: "text that is no name of a cookie or header, names that HTTP, Rocket or this crate uses, the name of another session, and a name so long that no token fits",
            example: "sid".into(),
        },
        /// The attributes of the cookie.
        cookie: CookieConfig = {
            default: "the defaults of its keys",
            refuses: "any value if no cookie carries the session",
            example: CookieConfig::default(),
        },
        /// Where sessions are kept: `"client"` keeps them in the cookie or header itself, and any
        /// other storage keeps them on the server, with only an id on the client. `"memory"` and
        /// registered storages are written as a name, and all others as a table.
        storage: StorageConfig = {
            default: "`\"client\"`",
            refuses: "a storage that does not open, at launch",
            example: "memory".into(),
        },
        /// Copies of records in the process, in front of a storage on a server or a registered
        /// one.
        cache: CacheConfig = {
            default: "none",
            refuses: "a cache in front of `memory`, `directory` and `client`",
            example: CacheConfig::default(),
        },
        /// How the token that the client holds is protected.
        protect: Protect = {
            default: "`\"encrypt\"` for `storage = \"client\"`, else `\"sign\"`",
            refuses: "`\"none\"` outside the debug profile without `allow_insecure`; `\"encrypt\"` for the id of a session on the server",
            example: Protect::Sign,
        },
        /// The algorithm that encrypts (RFC 7518, section 5.2).
        suite: Suite = {
            default: "`\"A128CBC-HS256\"`",
            refuses: "any value where nothing is encrypted, and in Ktor's format",
            example: Suite::A256CbcHs512,
        },
        /// The format of tokens and records. `"ktor"` shares live sessions with a service in
        /// Kotlin that uses the Ktor framework.
        format: Format = {
            default: "`\"native\"`",
            refuses: "",
            example: Format::Ktor,
        },
        /// Formats that are read in addition to `format`, to take over existing sessions.
        accept: Vec<AcceptedFormat> = {
            default: "`[]`",
            refuses: "`[\"ktor\"]` beside `format = \"ktor\"`, which reads Ktor's tokens anyway",
            example: vec![AcceptedFormat::Ktor],
        },
        /// How long a session lives without being used. It is a lower bound: the session may live
        /// longer by `touch_after`. With `"never"`, only `absolute_timeout` ends the session.
        idle_timeout: Timeout = {
            default: "`\"7 days\"`, or `absolute_timeout` if that is shorter",
            refuses: "zero; longer than `absolute_timeout`",
            example: Timeout::After(Duration::from_secs(30 * 60)),
        },
        /// How long a session lives at most, used or not, counted from its beginning. A login
        /// begins another session.
        absolute_timeout: Duration = {
            default: "`\"30 days\"`, or `idle_timeout` if that is longer",
            refuses: "zero; shorter than `idle_timeout`",
            example: Duration::from_secs(12 * 3600),
        },
        /// A use of the session is recorded only if the last recorded one is at least this long ago.
        /// A smaller value makes the idle timeout more exact, and a larger one saves writes.
        touch_after: Duration = {
            default: "a tenth of `idle_timeout` or of `cookie.max_age`, whichever is smaller",
            refuses: "`idle_timeout` or more, and `cookie.max_age` or more",
            example: Duration::from_secs(60),
        },
        /// The largest size of an encoded session.
        max_payload: ByteUnit = {
            default: "`\"64 KiB\"`; `\"8 KiB\"` for a client session outside of cookies",
            refuses: "0, and more than 64 MiB",
            example: 16.kibibytes(),
        },
        /// How long the storage may take to answer when a session is loaded, and when it is
        /// saved. After that, the request fails with 503.
        storage_timeout: Duration = {
            default: "`\"2 seconds\"`",
            refuses: "less than a millisecond, and a minute or more",
            example: Duration::from_millis(500),
        },
        /// Registered transformers, in the order in which they are applied to the encoded session
        /// when it is written.
        transform: OneOrMore = {
            default: "`[]`",
            refuses: "names that are not registered",
            example: ["compress"].into(),
        },
        /// How long an id that was replaced by `renew_after` still works, counted from the first
        /// request with the new one. 0 ends it at once.
        renewal_grace: Duration = {
            default: "`\"60 seconds\"` with `renew_after`, else 0",
            refuses: "more than an hour; sessions on the client; storages that cannot compare and swap; Ktor's format",
            example: Duration::from_secs(30),
        },
        /// How old an id becomes before it is replaced by a new one.
        renew_after: Timeout = {
            default: "`\"never\"`",
            refuses: "zero; `absolute_timeout` or more; sessions on the client; storages that cannot compare and swap; Ktor's format",
            example: Timeout::After(Duration::from_secs(3600)),
        },
        /// How many sessions an owner may have at the same time. 0 allows any number.
        max_sessions_per_owner: usize = {
            default: "`0`",
            refuses: "sessions on the client, which cannot be counted; more than 1,000,000",
            example: 5,
        },
        /// What happens to a login beyond the limit: the owner's oldest session ends, or the login
        /// is refused.
        owner_limit_policy: OwnerLimitPolicy = {
            default: "`\"end-oldest\"`",
            refuses: "any value without `max_sessions_per_owner`",
            example: OwnerLimitPolicy::Refuse,
        },
        /// Whether a session's record keeps the client's `User-Agent` and address, for lists of
        /// devices.
        remember_client: bool = {
            default: "`false`",
            refuses: "`true` for sessions on the client",
            example: true,
        },
        /// Where ended client sessions are remembered, so that a copy of an ended session's
        /// cookie is refused. `"none"`, or a storage as for `storage`.
        revocation: StorageConfig = {
            default: "`\"none\"`",
            refuses: "sessions on the server; Ktor's format. Launch warns of `memory`, which is lost with the process",
            example: StorageConfig {
                kind: Some("directory".into()),
                path: Some("/var/lib/shop/ended".into()),
                ..StorageConfig::default()
            },
        },
        /// How often keys are read again from their files. A new key reads tokens at once and
        /// protects new ones after two intervals.
        key_reload: Timeout = {
            default: "`\"never\"`",
            refuses: "zero; keys that come from no file; Ktor's format",
            example: Timeout::After(Duration::from_secs(60)),
        },
        /// Whether weaker settings are allowed outside the debug profile: `protect = "none"`,
        /// `cookie.secure = false` and `cookie.http_only = false`. It belongs in the session's own
        /// table.
        allow_insecure: bool = {
            default: "`false`",
            refuses: "`[default.sessions]`",
            example: true,
        },
        /// The application's name, which is part of every token and every record. Applications
        /// that share a secret or a server need different names.
        app: String = {
            default: "none",
            refuses: "more than 65,535 bytes; a missing name where a session uses `redis`, `postgres` or `mysql` outside the debug profile",
            example: "shop-production".into(),
        },
        /// Where CSRF tokens are looked for, and from which origins requests may come.
        csrf: CsrfConfig = {
            default: "the defaults of its keys",
            refuses: "",
            example: CsrfConfig::default(),
        },
        /// How a Ktor service writes the session.
        ktor: KtorConfig = {
            default: "the defaults of its keys",
            refuses: "any value without `format = \"ktor\"` and `accept = [\"ktor\"]`",
            example: KtorConfig::default(),
        },
    }
}

/// The keys that only a session's own table may have.
pub(crate) const NOT_SHARED: [&str; 2] = ["name", "allow_insecure"];

const fn secret(
    name: &'static str,
    kind: fn() -> String,
    meaning: &'static [&'static str],
    refuses: &'static str,
) -> Key {
    Key { name, kind, meaning, default: "none", refuses, example: None, since: SINCE, keys: &[] }
}

fn keys() -> String {
    "key or list of keys".into()
}

const WEAK: &str = "text that is neither hexadecimal nor base64; outside the debug profile, keys that are too short, that repeat one byte, or that are among the few well-known example keys of Ktor's and this crate's documentation";
const FILE: &str = "a file that cannot be read; the key itself in the same table. Launch warns if other users of the machine can read the file";

/// The keys of secrets, which are no fields of [`SessionConfig`].
pub(crate) const KEYS_OF_SECRETS: &[Key] = &[
    secret(
        "secret",
        keys,
        &[
            " The secret from which the session's keys are derived, of 32 bytes or more. The first of",
            " a list protects new tokens, and every one can read.",
        ],
        WEAK,
    ),
    secret(
        "secret_file",
        String::kind,
        &[" A file with `secret`: one key a line, and no comments."],
        FILE,
    ),
    secret(
        "sign_key",
        keys,
        &[
            " The key that signs, instead of `secret`: 32 bytes or more. In Ktor's format, it is the",
            " key of the Ktor service.",
        ],
        WEAK,
    ),
    secret(
        "sign_key_file",
        String::kind,
        &[" A file with `sign_key`: one key a line, and no comments."],
        FILE,
    ),
    secret(
        "encrypt_key",
        keys,
        &[
            " The key that encrypts, instead of `secret`: as many bytes as `suite` needs, 16, 24 or",
            " 32. In Ktor's format, it is the key of the Ktor service, whose length chooses AES-128,",
            " -192 or -256.",
        ],
        WEAK,
    ),
    secret(
        "encrypt_key_file",
        String::kind,
        &[" A file with `encrypt_key`: one key a line, and no comments."],
        FILE,
    ),
];
