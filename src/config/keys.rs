//! Keys: their text forms, their files, and which are too weak.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use figment::value::{Tag, Value};
use zeroize::{Zeroize, Zeroizing};

use super::ktor::KtorUse;
use super::storage::resolve;
use super::table::Table;
use super::{KtorConfig, Protect};
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::crypto::{Random, Secret, hex};

/// Keys that documentation shows, this crate's or Ktor's: everybody knows them.
const DOCUMENTED: [&str; 5] = [
    "00112233445566778899aabbccddeeff",
    "6819b57a326945c1968f45236589",
    "02030405060708090a0b0c",
    "003515606058610610561058",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
];

const MAKE_ONE: &str = "`openssl rand -base64 32` makes one";

/// One kind of key: its table key, the key for a file of it, its least length.
struct Kind {
    key: &'static str,
    file: &'static str,
    least: usize,
}

const SECRET: Kind = Kind { key: "secret", file: "secret_file", least: 32 };

/// The table's keys for each kind of key.
const SECRET_KEYS: [&str; 2] = ["secret", "secret_file"];
const SIGN_KEYS: [&str; 2] = ["sign_key", "sign_key_file"];
const ENCRYPT_KEYS: [&str; 2] = ["encrypt_key", "encrypt_key_file"];

/// The root table's secrets, from which sessions without keys of their own derive theirs.
pub(super) fn root(table: &mut Table<'_, '_>) -> Vec<Zeroizing<Vec<u8>>> {
    read(table, &SECRET)
}

/// The keys of one session's tokens and, where these are not protected by native
/// keys, those that its CSRF tokens take.
#[derive(Default)]
pub(super) struct Keys {
    pub tokens: Vec<KeyMaterial>,
    pub csrf: Vec<KeyMaterial>,
}

impl Keys {
    fn of_tokens(tokens: Vec<KeyMaterial>) -> Self {
        Self { tokens, csrf: Vec::new() }
    }

    fn of_csrf(csrf: Vec<KeyMaterial>) -> Self {
        Self { tokens: Vec::new(), csrf }
    }

    /// Those that are read again when their files change.
    pub fn all(&self) -> &[KeyMaterial] {
        if self.tokens.is_empty() { &self.csrf } else { &self.tokens }
    }
}

/// The keys of one session. Ktor's are `sign_key` and `encrypt_key` as they
/// stand; the native format derives its own from `secret`, or where there is
/// none from these.
pub(super) fn of_session(
    table: &mut Table<'_, '_>,
    name: &str,
    protect: Protect,
    (suite, on_server): (Suite, bool),
    root: &[Zeroizing<Vec<u8>>],
    (ktor, ktor_use): (Option<&mut KtorConfig>, KtorUse),
) -> Keys {
    let secrets = read(table, &SECRET);
    let beside = ktor_use == KtorUse::Accepted && !(secrets.is_empty() && root.is_empty());
    let raw = ktor_use == KtorUse::Written || beside;
    let least = |native: usize| if raw { 0 } else { native };
    let sign = Kind { key: "sign_key", file: "sign_key_file", least: least(32) };
    let sign = read(table, &sign);
    let encrypt =
        Kind { key: "encrypt_key", file: "encrypt_key_file", least: least(suite.key_len()) };
    let encrypt = read(table, &encrypt);
    if let Some(ktor) = ktor {
        let copies = |keys: &[Zeroizing<Vec<u8>>]| {
            keys.iter().map(|key| Secret::new(key.to_vec())).collect()
        };
        if raw && sign.iter().any(|key| key.len() < 32) {
            table.warning("sign_key", "a key of less than 32 bytes, as Ktor's documentation shows them, can be guessed sooner than a session ends; take a longer one in both services");
        }
        ktor.keys = super::ktor::keys(table, ktor, copies(&sign), copies(&encrypt));
        if ktor_use == KtorUse::Written {
            let unsigned_id = ktor.transform.is_empty() && on_server;
            if unsigned_id {
                return Keys::of_csrf(secret_or_root(secrets, root));
            }
            if given(table, SECRET_KEYS) {
                table.problem("secret", "Ktor's format uses `sign_key` and `encrypt_key`, the keys of the Ktor service; remove it");
            }
            return Keys::of_csrf(own(sign, KeyMaterial::Sign));
        }
    }
    if beside {
        let secrets = secret_or_root(secrets, root);
        let unprotected = protect == Protect::None;
        return if unprotected { Keys::of_csrf(secrets) } else { Keys::of_tokens(secrets) };
    }
    if protect == Protect::None {
        if given(table, SIGN_KEYS) || given(table, ENCRYPT_KEYS) {
            table.problem(
                "protect",
                "\"none\" uses no key, but a `secret` for CSRF tokens; remove the other keys, or write \"sign\" or \"encrypt\"",
            );
        }
        return Keys::of_csrf(secret_or_root(secrets, root));
    }
    Keys::of_tokens(of_tokens(table, name, protect, root, [secrets, sign, encrypt]))
}

fn given(table: &Table<'_, '_>, keys: [&str; 2]) -> bool {
    keys.iter().any(|key| table.has(key))
}
/// A session's own secrets, or else the root's.
fn secret_or_root(
    secrets: Vec<Zeroizing<Vec<u8>>>,
    root: &[Zeroizing<Vec<u8>>],
) -> Vec<KeyMaterial> {
    own(if secrets.is_empty() { root.to_vec() } else { secrets }, KeyMaterial::Secret)
}

fn own(keys: Vec<Zeroizing<Vec<u8>>>, make: fn(Secret) -> KeyMaterial) -> Vec<KeyMaterial> {
    keys.into_iter().map(|key| make(Secret::new(key.to_vec()))).collect()
}

/// The keys of a session's native tokens, which are protected.
fn of_tokens(
    table: &mut Table<'_, '_>,
    name: &str,
    protect: Protect,
    root: &[Zeroizing<Vec<u8>>],
    [secrets, sign, encrypt]: [Vec<Zeroizing<Vec<u8>>>; 3],
) -> Vec<KeyMaterial> {
    let [has_secret, has_sign, has_encrypt] =
        [SECRET_KEYS, SIGN_KEYS, ENCRYPT_KEYS].map(|keys| given(table, keys));
    if has_secret && (has_sign || has_encrypt) {
        table.problem("secret", "stands beside `sign_key` or `encrypt_key`; keep one or the other");
        return Vec::new();
    }
    match (protect, has_sign, has_encrypt) {
        _ if has_secret => own(secrets, KeyMaterial::Secret),
        (Protect::Sign, _, true) => {
            table.problem(
                "encrypt_key",
                "not used with `protect = \"sign\"`; write `sign_key` or `secret`",
            );
            Vec::new()
        }
        (Protect::Sign, true, _) => own(sign, KeyMaterial::Sign),
        (Protect::Encrypt, true, false) => {
            table.problem(
                "sign_key",
                "`protect = \"encrypt\"` needs an `encrypt_key` beside it, or a `secret` instead",
            );
            Vec::new()
        }
        (Protect::Encrypt, true, true) if sign.len() != encrypt.len() => {
            table.problem(
                "sign_key",
                "pairs with `encrypt_key` by position: both lists need the same length",
            );
            Vec::new()
        }
        (Protect::Encrypt, true, true) => {
            let pairs = encrypt.into_iter().zip(sign);
            let pair = |(encrypt, sign): (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>)| {
                KeyMaterial::EncryptAndSign {
                    encrypt: Secret::new(encrypt.to_vec()),
                    sign: Secret::new(sign.to_vec()),
                }
            };
            pairs.map(pair).collect()
        }
        (Protect::Encrypt, false, true) => own(encrypt, KeyMaterial::Encrypt),
        _ if !root.is_empty() => own(root.to_vec(), KeyMaterial::Secret),
        _ => random_or_refused(table, name),
    }
}

/// The files that a session's keys come from, the root's if it has none of its own.
pub(super) fn files(table: &mut Table<'_, '_>, keys: &[KeyMaterial]) -> Vec<PathBuf> {
    let own: &[_] = match keys.first() {
        None => &[],
        Some(KeyMaterial::Secret(_)) if table.has("secret") || table.has("secret_file") => {
            &["secret_file"]
        }
        Some(KeyMaterial::Secret(_)) => return table.context.root_file.iter().cloned().collect(),
        Some(KeyMaterial::Sign(_)) => &["sign_key_file"],
        Some(KeyMaterial::Encrypt(_)) => &["encrypt_key_file"],
        Some(KeyMaterial::EncryptAndSign { .. }) => &["encrypt_key_file", "sign_key_file"],
    };
    own.iter().filter_map(|key| file(table, key)).collect()
}

/// The path of a file of keys.
pub(super) fn file(table: &mut Table<'_, '_>, key: &'static str) -> Option<PathBuf> {
    match table.value(key)? {
        Value::String(tag, path) => Some(resolve(table.context, tag, &path)),
        _ => None,
    }
}

fn random_or_refused(table: &mut Table<'_, '_>, name: &str) -> Vec<KeyMaterial> {
    if !table.context.debug {
        table.problem(
            "secret",
            format!("this session needs a key: set ROCKET_SESSIONS__SECRET; {MAKE_ONE}"),
        );
        return Vec::new();
    }
    table.context.keyless.push(name.to_owned());
    match Random::default().bytes::<32>() {
        Ok(key) => vec![KeyMaterial::Secret(Secret::new(key.to_vec()))],
        Err(cause) => {
            table.problem("secret", cause.to_string());
            Vec::new()
        }
    }
}

/// The keys of one kind in a table: a text, a list of texts, or a file of lines.
fn read(table: &mut Table<'_, '_>, kind: &Kind) -> Vec<Zeroizing<Vec<u8>>> {
    let (value, file) = (table.value(kind.key), table.value(kind.file));
    if value.is_some() && file.is_some() {
        table.problem(kind.file, format!("stands beside `{}`; keep one of them", kind.key));
        return Vec::new();
    }
    let texts = match (value, file) {
        (Some(Value::Array(_, values)), _) => {
            values.into_iter().filter_map(|value| text(table, kind, value)).collect()
        }
        (Some(value), _) => text(table, kind, value).into_iter().collect(),
        (_, Some(Value::String(tag, path))) => lines(table, kind, tag, &path),
        (_, Some(_)) => {
            table.problem(kind.file, "expected the path of a file");
            Vec::new()
        }
        (None, None) => return Vec::new(),
    };
    if texts.is_empty() {
        table.problem(kind.key, format!("holds no key; {MAKE_ONE}"));
    }
    let mut keys: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    for text in texts {
        let Some(key) = decode(&text).filter(|key| !key.is_empty()) else {
            table.problem(kind.key, format!("a key is neither hexadecimal nor base64; {MAKE_ONE}"));
            continue;
        };
        if keys.contains(&key) {
            table.problem(kind.key, "the list holds one key twice; remove one");
            continue;
        }
        if let Some(weakness) = weakness(&key, kind.least) {
            table.weakness(kind.key, &format!("{weakness}; {MAKE_ONE}"));
        }
        keys.push(key);
    }
    keys
}

fn text(table: &mut Table<'_, '_>, kind: &Kind, value: Value) -> Option<Zeroizing<String>> {
    if let Value::String(_, text) = value {
        return Some(Zeroizing::new(text));
    }
    table.problem(
        kind.key,
        "the key was read as a number or a flag; write it with a prefix, hex:… or base64:…, or in double quotes \
         within single ones: '\"…\"'",
    );
    None
}

/// A file with one key a line; the first seals.
fn lines(table: &mut Table<'_, '_>, kind: &Kind, tag: Tag, path: &str) -> Vec<Zeroizing<String>> {
    let path: PathBuf = resolve(table.context, tag, path);
    let content = match std::fs::read_to_string(&path) {
        Ok(content) => Zeroizing::new(content),
        Err(cause) => {
            table
                .problem(kind.file, format!("the file {} cannot be read: {cause}", path.display()));
            return Vec::new();
        }
    };
    let mode = std::fs::metadata(&path).map_or(0, |about| about.permissions().mode());
    if mode & 0o077 != 0 {
        let key = table.path(kind.file);
        let path = path.display();
        table.context.warnings.push(format!("`{key}`: others can read {path}; `chmod 600` it"));
    }
    let lines = content.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| Zeroizing::new(line.to_owned())).collect()
}

/// `hex:…`, `base64:…`, or without prefix whichever it looks like.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if let Some(digits) = text.strip_prefix("hex:") {
        return from_hex(digits);
    }
    if let Some(text) = text.strip_prefix("base64:") {
        return from_base64(text);
    }
    from_hex(text).or_else(|| from_base64(text))
}

fn from_hex(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    hex::decode(digits).map(Zeroizing::new)
}

fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut standard = text.replace('-', "+").replace('_', "/");
    let decoded = GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(&standard);
    standard.zeroize();
    decoded.ok().map(Zeroizing::new)
}

fn weakness(key: &[u8], least: usize) -> Option<String> {
    let repeated = key.iter().all(|byte| Some(byte) == key.first());
    let documented = DOCUMENTED.iter().filter_map(|text| from_hex(text)).any(|known| *known == key);
    if documented {
        Some("a key that documentation shows, so everybody knows it".into())
    } else if repeated {
        Some("a key of one repeated byte".into())
    } else if key.len() < least {
        Some(format!("a key of {} bytes; at least {least} are needed", key.len()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_every_form() {
        let bytes = [0xfb, 0xff, 0x00, 0x10];
        for text in [
            "hex:fbff0010",
            "fbff0010",
            "FBFF0010",
            "base64:+/8AEA==",
            "+/8AEA==",
            "-_8AEA",
            "+/8AEA",
        ] {
            assert_eq!(decode(text).unwrap().as_slice(), bytes, "{text}");
        }
        for text in ["hex:fb0", "hex:zz", "base64:!", "not a key", "é"] {
            assert!(decode(text).is_none(), "{text}");
        }
    }
}
