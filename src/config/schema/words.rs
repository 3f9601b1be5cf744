//! The words of the types whose values are words in the configuration.

use crate::config::settings::{AcceptedFormat, CookiePrefix, Format, KtorTransform};
use crate::crypto::Protect;
use crate::crypto::aead::Suite;
use crate::crypto::mac::MacAlgorithm;
use crate::ktor::{CookieEncoding, Serializer};
use crate::storage::OwnerLimitPolicy;
use crate::table::words;
use crate::transport::SameSite;

words!(Protect { "encrypt" => Protect::Encrypt, "sign" => Protect::Sign, "none" => Protect::None });
words!(Suite {
    "A128CBC-HS256" => Suite::A128CbcHs256,
    "A192CBC-HS384" => Suite::A192CbcHs384,
    "A256CBC-HS512" => Suite::A256CbcHs512,
});
words!(AcceptedFormat { "ktor" => AcceptedFormat::Ktor });
words!(Format { "native" => Format::Native, "ktor" => Format::Ktor });
words!(OwnerLimitPolicy {
    "end-oldest" => OwnerLimitPolicy::EndOldest,
    "refuse" => OwnerLimitPolicy::Refuse,
});
words!(SameSite {
    "strict" => SameSite::Strict,
    "lax" => SameSite::Lax,
    "none" => SameSite::None,
    "unset" => SameSite::Unset,
});
words!(CookiePrefix {
    "none" => CookiePrefix::None,
    "host" => CookiePrefix::Host,
    "secure" => CookiePrefix::Secure,
    "host-http" => CookiePrefix::HostHttp,
    "http" => CookiePrefix::Http,
});
words!(MacAlgorithm {
    "HmacSHA1" => MacAlgorithm::HmacSha1,
    "HmacSHA256" => MacAlgorithm::HmacSha256,
    "HmacSHA384" => MacAlgorithm::HmacSha384,
    "HmacSHA512" => MacAlgorithm::HmacSha512,
});
words!(KtorTransform { "mac" => KtorTransform::Mac, "encrypt" => KtorTransform::Encrypt });
words!(CookieEncoding {
    "uri" => CookieEncoding::Uri,
    "base64" => CookieEncoding::Base64,
    "raw" => CookieEncoding::Raw,
    "dquotes" => CookieEncoding::Dquotes,
});
words!(Serializer {
    "json" => Serializer::Json,
    "kotlinx-legacy" => Serializer::KotlinxLegacy,
    "reflection-legacy" => Serializer::ReflectionLegacy,
});
