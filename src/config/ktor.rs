//! The keys `format` and `accept`, and the `ktor` table.

use zeroize::Zeroizing;

use super::keys::LENGTHS;
use super::types::{KtorConfig, KtorKeys, KtorTransform};
use crate::crypto::mac::MacAlgorithm;
use crate::crypto::{Protect, Secret};
use crate::ktor::{CookieEncoding, Serializer};
use crate::table::Table;

const MACS: [(&str, MacAlgorithm); 4] = [
    ("HmacSHA1", MacAlgorithm::HmacSha1),
    ("HmacSHA256", MacAlgorithm::HmacSha256),
    ("HmacSHA384", MacAlgorithm::HmacSha384),
    ("HmacSHA512", MacAlgorithm::HmacSha512),
];
const ENCODINGS: [(&str, CookieEncoding); 4] = [
    ("uri", CookieEncoding::Uri),
    ("base64", CookieEncoding::Base64),
    ("raw", CookieEncoding::Raw),
    ("dquotes", CookieEncoding::Dquotes),
];
const STEPS: [(&str, KtorTransform); 2] =
    [("mac", KtorTransform::Mac), ("encrypt", KtorTransform::Encrypt)];
const SERIALIZERS: [(&str, Serializer); 3] = [
    ("json", Serializer::Json),
    ("kotlinx-legacy", Serializer::KotlinxLegacy),
    ("reflection-legacy", Serializer::ReflectionLegacy),
];

/// Whether Ktor's format is written, accepted, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KtorUse {
    Never,
    Accepted,
    Written,
}

/// Reads `format` and `accept`.
pub(super) fn read_use(table: &mut Table<'_, '_>) -> KtorUse {
    let formats = [("native", false), ("ktor", true)];
    let written = table.choice("format", &formats).unwrap_or(false);
    let expected = "expected a list of formats to read: [] or [\"ktor\"]";
    let accepted = table.choices("accept", &[("ktor", ())], expected);
    let accepted = accepted.is_some_and(|formats| !formats.is_empty());
    match (written, accepted) {
        (true, true) => {
            table.problem("accept", "`format = \"ktor\"` reads Ktor's tokens anyway; remove it, or write `format = \"native\"` to migrate");
            KtorUse::Written
        }
        (true, false) => KtorUse::Written,
        (false, true) => KtorUse::Accepted,
        (false, false) => KtorUse::Never,
    }
}

/// Reads the `ktor` table. If it has no `transform`, `protect` determines the steps.
pub(super) fn read(mut table: Table<'_, '_>, protect: Protect, in_cookie: bool) -> KtorConfig {
    let encoding = table.choice("cookie_encoding", &ENCODINGS);
    if encoding.is_some() && !in_cookie {
        table.problem("cookie_encoding", "a header carries the token as it is; remove it");
    }
    let config = KtorConfig {
        mac: table.choice("mac", &MACS).unwrap_or(MacAlgorithm::HmacSha256),
        transform: table.choices("transform", &STEPS, NO_STEPS).unwrap_or(match protect {
            Protect::Sign => vec![KtorTransform::Mac],
            Protect::Encrypt => vec![KtorTransform::Encrypt],
            Protect::None => Vec::new(),
        }),
        backward_compatible_read: table.flag("backward_compatible_read").unwrap_or(false),
        cookie_encoding: in_cookie.then(|| encoding.unwrap_or(CookieEncoding::Uri)),
        serializer: table.choice("serializer", &SERIALIZERS).unwrap_or(Serializer::Json),
        keys: Vec::new(),
    };
    table.finish();
    config
}

/// Pairs the two lists of keys. Ktor's format uses each key unchanged.
pub(super) fn pair_keys(
    table: &mut Table<'_, '_>,
    config: &KtorConfig,
    sign: &[Zeroizing<Vec<u8>>],
    encrypt: &[Zeroizing<Vec<u8>>],
) -> Vec<KtorKeys> {
    let secret = |key: &Zeroizing<Vec<u8>>| Secret::new(key.to_vec());
    let encrypts = config.has(KtorTransform::Encrypt);
    let refused = refuse_keys(table, config, sign, encrypt);
    if refused {
        return Vec::new();
    }
    if !encrypts {
        return sign.iter().map(|sign| KtorKeys { sign: secret(sign), encrypt: None }).collect();
    }
    let pairs = sign.iter().zip(encrypt);
    let pair = |(sign, encrypt)| KtorKeys { sign: secret(sign), encrypt: Some(secret(encrypt)) };
    pairs.map(pair).collect()
}

/// Refuses keys that do not fit the steps of `ktor.transform`, and returns whether it has.
fn refuse_keys(
    table: &mut Table<'_, '_>,
    config: &KtorConfig,
    sign: &[Zeroizing<Vec<u8>>],
    encrypt: &[Zeroizing<Vec<u8>>],
) -> bool {
    let [no_sign, no_encrypt] = [sign.is_empty(), encrypt.is_empty()];
    let encrypts = config.has(KtorTransform::Encrypt);
    let is_plain = config.transform.is_empty();
    let has_size = |key: &Zeroizing<Vec<u8>>| [16, 24, 32].contains(&key.len());
    let rows = [
        ("ktor.transform", is_plain && !(no_sign && no_encrypt), NO_STEP),
        ("sign_key", !is_plain && no_sign, NO_SIGN_KEY),
        ("encrypt_key", encrypts && no_encrypt, NO_ENCRYPT_KEY),
        ("encrypt_key", !is_plain && !encrypts && !no_encrypt, NOTHING_TO_ENCRYPT),
        ("sign_key", encrypts && sign.len() != encrypt.len(), LENGTHS),
        ("encrypt_key", encrypts && !encrypt.iter().all(has_size), NO_SIZE_OF_AES),
    ];
    for (key, is_wrong, why) in rows {
        if is_wrong {
            table.problem(key, why);
        }
    }
    rows.iter().any(|(_, is_wrong, _)| *is_wrong)
}

const NO_STEPS: &str = "expected a list in Ktor's order: [], [\"mac\"], [\"encrypt\"] or both";
const NO_STEP: &str = "uses no key; remove the keys, or write [\"mac\"] or [\"encrypt\"]";
const NO_SIGN_KEY: &str = "Ktor's MAC needs it, even with `encrypt_key`; write the key of the Ktor service in hexadecimal";
const NO_ENCRYPT_KEY: &str =
    "Ktor's `encrypt` needs it; write the key of the Ktor service in hexadecimal";
const NOTHING_TO_ENCRYPT: &str = "not used without \"encrypt\" in `ktor.transform`; remove it";
const NO_SIZE_OF_AES: &str = "an AES key has 16, 24 or 32 bytes";
