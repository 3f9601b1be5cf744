//! The `ktor` table.

use crate::config::settings::KtorTransform;
use crate::crypto::mac::MacAlgorithm;
use crate::ktor::{CookieEncoding, Serializer};
use crate::table::{schema, table_field};

schema! {
    /// The table `ktor` of a session: how a service in Kotlin with the Ktor framework writes the
    /// session. It is read with `format = "ktor"` or `accept = ["ktor"]`.
    pub struct KtorConfig {
        /// The algorithm of Ktor's MAC.
        mac: MacAlgorithm = {
            default: "`\"HmacSHA256\"`",
            refuses: "",
            example: MacAlgorithm::HmacSha1,
        },
        /// Ktor's transformers in the order in which it applies them.
        transform: Vec<KtorTransform> = {
            default: "follows `protect`: `[\"encrypt\"]`, `[\"mac\"]` or `[]`",
            refuses: "`[]` outside the debug profile without `protect = \"none\"`",
            example: vec![KtorTransform::Mac],
        },
        /// Whether tokens are read that Ktor wrote before its version 3.0.
        backward_compatible_read: bool = {
            default: "`false`",
            refuses: "",
            example: true,
        },
        /// How Ktor encodes the cookie's value.
        cookie_encoding: CookieEncoding = {
            default: "`\"uri\"`",
            refuses: "any value if a header carries the session",
            example: CookieEncoding::Base64,
        },
        /// How Ktor writes the session class as text.
        serializer: Serializer = {
            default: "`\"json\"`",
            refuses: "",
            example: Serializer::ReflectionLegacy,
        },
    }
}

table_field!(KtorConfig);
