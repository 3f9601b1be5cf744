//! The keys `format` and `accept`, and the `ktor` table.

use zeroize::Zeroizing;

use super::keys::LENGTHS;
use super::settings::{KtorKeys, KtorSettings};
use super::{Format, KtorConfig, KtorTransform, SessionConfig};
use crate::crypto::mac::MacAlgorithm;
use crate::crypto::{Protect, Secret};
use crate::ktor::{CookieEncoding, Serializer};
use crate::table::Table;

/// Whether Ktor's format is written, accepted, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KtorUse {
    Never,
    Accepted,
    Written,
}

/// Reads `format` and `accept`.
pub(super) fn read_use(table: &mut Table<'_, '_>, config: &SessionConfig) -> KtorUse {
    let accepted = config.accept.as_ref().is_some_and(|formats| !formats.is_empty());
    match (config.format, accepted) {
        (Some(Format::Ktor), true) => {
            table.no_effect("accept", "format", "`format = \"ktor\"` reads Ktor's tokens anyway; remove it, or write `format = \"native\"` to migrate");
            KtorUse::Written
        }
        (Some(Format::Ktor), false) => KtorUse::Written,
        (_, true) => KtorUse::Accepted,
        (_, false) => KtorUse::Never,
    }
}

/// Refuses keys that Ktor's format has no room for. Those that are not refused, because they are
/// for all sessions, are not in force.
pub(super) fn drop_keys_without_room(table: &mut Table<'_, '_>, config: &mut SessionConfig) {
    let why = "Ktor's format has no room for it; remove it, or write `format = \"native\"`";
    for key in ["revocation", "key_reload", "renewal_grace", "renew_after"] {
        if table.is_on(key) {
            table.no_effect(key, "format", why);
        }
    }
    if config.suite.is_some() {
        table.no_effect("suite", "format", why);
    }
    (config.revocation, config.suite, config.key_reload) = (None, None, None);
    (config.renewal_grace, config.renew_after) = (None, None);
}

/// Reads the `ktor` table. If it has no `transform`, `protect` determines the steps.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    config: KtorConfig,
    protect: Protect,
    in_cookie: bool,
) -> KtorSettings {
    let encoding = config.cookie_encoding;
    if !in_cookie {
        let message = "a header carries the token as it is; remove it";
        table.no_effect("ktor.cookie_encoding", "transport", message);
    }
    KtorSettings {
        mac: config.mac.unwrap_or(MacAlgorithm::HmacSha256),
        transform: config.transform.unwrap_or_else(|| match protect {
            Protect::Sign => vec![KtorTransform::Mac],
            Protect::Encrypt => vec![KtorTransform::Encrypt],
            Protect::None => Vec::new(),
        }),
        backward_compatible_read: config.backward_compatible_read.unwrap_or(false),
        cookie_encoding: in_cookie.then(|| encoding.unwrap_or(CookieEncoding::Uri)),
        serializer: config.serializer.unwrap_or(Serializer::Json),
        keys: Vec::new(),
    }
}

/// Pairs the two lists of keys. Ktor's format uses each key unchanged.
pub(super) fn pair_keys(
    table: &mut Table<'_, '_>,
    config: &KtorSettings,
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
    config: &KtorSettings,
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

const NO_STEP: &str = "uses no key; remove the keys, or write [\"mac\"] or [\"encrypt\"]";
const NO_SIGN_KEY: &str = "Ktor's MAC needs it, even with `encrypt_key`; write the key of the Ktor service in hexadecimal";
const NO_ENCRYPT_KEY: &str =
    "Ktor's `encrypt` needs it; write the key of the Ktor service in hexadecimal";
const NOTHING_TO_ENCRYPT: &str = "not used without \"encrypt\" in `ktor.transform`; remove it";
const NO_SIZE_OF_AES: &str = "an AES key has 16, 24 or 32 bytes";
