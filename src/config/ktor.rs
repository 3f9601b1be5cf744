//! `format`, `accept`, and the `ktor` table: Ktor's formats.

use figment::value::Dict;
use figment::value::Value;

use super::table::Table;
use super::{Context, KtorConfig, KtorKeys, Protect};
use crate::crypto::Secret;
use crate::crypto::mac::MacAlgorithm;
use crate::ktor::{CookieEncoding, Serializer};

/// Whether Ktor's format is written, accepted, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KtorUse {
    Never,
    Accepted,
    Written,
}

/// One entry of `ktor.transform`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KtorTransform {
    Mac,
    Encrypt,
}

/// Reads `format` and `accept`.
pub(super) fn use_of(table: &mut Table<'_, '_>) -> KtorUse {
    let formats = [("native", false), ("ktor", true)];
    let written = table.choice("format", &formats).unwrap_or(false);
    let accepted = match table.value("accept") {
        None => false,
        Some(Value::Array(_, values)) => {
            let known = values.iter().filter(|value| value.as_str() == Some("ktor")).count();
            if known != values.len() {
                table.problem("accept", "expected a list of formats to read: [] or [\"ktor\"]");
            }
            known > 0
        }
        Some(_) => {
            table.problem("accept", "expected a list of formats to read: [] or [\"ktor\"]");
            false
        }
    };
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

/// Reads the `ktor` table. `default` stands for `transform` where it is missing.
pub(super) fn read(
    context: &mut Context<'_>,
    path: String,
    dict: Dict,
    protect: Protect,
    in_cookie: bool,
) -> KtorConfig {
    let mut table = Table::new(context, path, dict);
    let macs = [
        ("HmacSHA1", MacAlgorithm::HmacSha1),
        ("HmacSHA256", MacAlgorithm::HmacSha256),
        ("HmacSHA384", MacAlgorithm::HmacSha384),
        ("HmacSHA512", MacAlgorithm::HmacSha512),
    ];
    let encodings = [
        ("uri", CookieEncoding::Uri),
        ("base64", CookieEncoding::Base64),
        ("raw", CookieEncoding::Raw),
        ("dquotes", CookieEncoding::Dquotes),
    ];
    let serializers = [
        ("json", Serializer::Json),
        ("kotlinx-legacy", Serializer::KotlinxLegacy),
        ("reflection-legacy", Serializer::ReflectionLegacy),
    ];
    let encoding = table.choice("cookie_encoding", &encodings);
    if encoding.is_some() && !in_cookie {
        table.problem("cookie_encoding", "a header carries the token as it is; remove it");
    }
    let config = KtorConfig {
        mac: table.choice("mac", &macs).unwrap_or(MacAlgorithm::HmacSha256),
        transform: transform(&mut table).unwrap_or(match protect {
            Protect::Sign => vec![KtorTransform::Mac],
            Protect::Encrypt => vec![KtorTransform::Encrypt],
            Protect::None => Vec::new(),
        }),
        backward_compatible_read: table.flag("backward_compatible_read").unwrap_or(false),
        cookie_encoding: in_cookie.then(|| encoding.unwrap_or(CookieEncoding::Uri)),
        serializer: table.choice("serializer", &serializers).unwrap_or(Serializer::Json),
        keys: Vec::new(),
    };
    table.finish();
    config
}

fn transform(table: &mut Table<'_, '_>) -> Option<Vec<KtorTransform>> {
    const EXPECTED: &str = "expected a list in Ktor's order: [], [\"mac\"], [\"encrypt\"] or both";
    let Value::Array(_, values) = table.value("transform")? else {
        table.problem("transform", EXPECTED);
        return None;
    };
    let known: Vec<_> = values
        .iter()
        .filter_map(|value| match value.as_str() {
            Some("mac") => Some(KtorTransform::Mac),
            Some("encrypt") => Some(KtorTransform::Encrypt),
            _ => None,
        })
        .collect();
    if known.len() != values.len() {
        table.problem("transform", EXPECTED);
    }
    Some(known)
}

impl KtorConfig {
    /// Whether one of the steps is this one.
    pub fn has(&self, step: KtorTransform) -> bool {
        self.transform.contains(&step)
    }
}

/// Pairs the lists of keys, each key as it stands in the configuration.
pub(super) fn keys(
    table: &mut Table<'_, '_>,
    config: &KtorConfig,
    sign: Vec<Secret>,
    encrypt: Vec<Secret>,
) -> Vec<KtorKeys> {
    if config.transform.is_empty() {
        if !sign.is_empty() || !encrypt.is_empty() {
            table.problem(
                "ktor.transform",
                "uses no key; remove the keys, or write [\"mac\"] or [\"encrypt\"]",
            );
        }
        return Vec::new();
    }
    let encrypts = config.has(KtorTransform::Encrypt);
    if sign.is_empty() {
        table.problem("sign_key", "Ktor's MAC needs it, also beside `encrypt_key`; write the key of the Ktor service in hexadecimal");
    }
    if encrypts && encrypt.is_empty() {
        table.problem(
            "encrypt_key",
            "Ktor's `encrypt` needs it; write the key of the Ktor service in hexadecimal",
        );
    }
    if !encrypts && !encrypt.is_empty() {
        table.problem("encrypt_key", "not used without \"encrypt\" in `ktor.transform`; remove it");
        return Vec::new();
    }
    if !encrypts {
        return sign.into_iter().map(|sign| KtorKeys { sign, encrypt: None }).collect();
    }
    if sign.len() != encrypt.len() {
        table.problem(
            "sign_key",
            "pairs with `encrypt_key` by position: both lists need the same length",
        );
    }
    if encrypt.iter().any(|key| ![16, 24, 32].contains(&key.bytes().len())) {
        table.problem("encrypt_key", "a key of AES has 16, 24 or 32 bytes");
    }
    let pairs = sign.into_iter().zip(encrypt);
    pairs.map(|(sign, encrypt)| KtorKeys { sign, encrypt: Some(encrypt) }).collect()
}
