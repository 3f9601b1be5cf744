//! Keys: their text forms, their files, and the checks for weak keys.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use figment::value::Value;
use figment::{Profile, Provider as _};
use zeroize::{Zeroize, Zeroizing};

use crate::crypto::hex;
use crate::crypto::keys::KeyMaterial;
use crate::table::{Context, Table};

/// Keys from this crate's or Ktor's documentation, which everybody knows.
const DOCUMENTED: [&str; 5] = [
    "00112233445566778899aabbccddeeff",
    "6819b57a326945c1968f45236589",
    "02030405060708090a0b0c",
    "003515606058610610561058",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
];

pub(super) const MAKE_ONE: &str = "`openssl rand -base64 32` makes one";

/// The message for two lists of keys that are used in pairs and differ in length.
pub(super) const LENGTHS: &str =
    "pairs with `encrypt_key` by position: both lists need the same length";

/// One kind of key: the name of its key in a table, and the name of the key for its file.
pub(super) struct KeyKind {
    key: &'static str,
    file: &'static str,
}

pub(super) const SECRET: KeyKind = KeyKind { key: "secret", file: "secret_file" };
pub(super) const SIGN: KeyKind = KeyKind { key: "sign_key", file: "sign_key_file" };
pub(super) const ENCRYPT: KeyKind = KeyKind { key: "encrypt_key", file: "encrypt_key_file" };

/// All kinds of keys.
pub(super) const KINDS: [KeyKind; 3] = [SECRET, SIGN, ENCRYPT];

impl KeyKind {
    /// The key that holds keys, and the one that names their file.
    pub const fn names(&self) -> [&'static str; 2] {
        [self.key, self.file]
    }

    /// The key in the table that gives these keys, if any does.
    pub fn given(&self, table: &Table<'_, '_>) -> Option<&'static str> {
        self.names().into_iter().find(|key| table.has(key))
    }

    pub fn is_given(&self, table: &Table<'_, '_>) -> bool {
        self.given(table).is_some()
    }

    /// Whether the keys are those of all sessions.
    pub fn is_for_all(&self, table: &Table<'_, '_>) -> bool {
        self.given(table).is_some_and(|key| table.is_for_all(key))
    }
}

/// Reports the sessions that have no key.
pub(super) fn report_missing(context: &mut Context<'_>) {
    if context.keyless.is_empty() {
        return;
    }
    let names = context.keyless.join("`, `");
    let variable = context.variable("SECRET");
    if context.debug {
        context.warnings.push(format!(
            "The session(s) `{names}` have no key and run on a random one: they end with this process. \
             For a lasting key set {variable} to the output of `openssl rand -base64 32`."
        ));
    } else {
        let mut message = format!(
            "missing. The session(s) `{names}` need a key; set {variable} to the output of `openssl rand -base64 32`"
        );
        let unread = context.without_usual_sources();
        if let Some(hint) = unread.or_else(|| key_of_another_profile(context)) {
            message = format!("{message}. {hint}");
        }
        context.problem("sessions.secret", "secret", message, None);
    }
}

/// What to say of a key for all sessions in a table of a profile that is not selected.
fn key_of_another_profile(context: &Context<'_>) -> Option<String> {
    let selected = context.figment.profile();
    let read = [&Profile::Default, &Profile::Global, selected];
    let profiles = context.figment.data().ok()?;
    let mut others = profiles.iter().filter(|(profile, _)| !read.contains(profile));
    others.find_map(|(profile, dict)| {
        let sessions = dict.get("sessions")?.as_dict()?;
        let has_key = SECRET.names().iter().any(|key| sessions.contains_key(*key));
        has_key.then(|| {
            format!(
                "The key in [{profile}.sessions] is not read, because the profile is `{selected}`"
            )
        })
    })
}

/// The files that a session's keys come from.
pub(super) fn files(table: &Table<'_, '_>, keys: &[KeyMaterial]) -> Vec<PathBuf> {
    let kinds: &[KeyKind] = match keys.first() {
        None => &[],
        Some(KeyMaterial::Secret(_)) => &[SECRET],
        Some(KeyMaterial::Sign(_)) => &[SIGN],
        Some(KeyMaterial::Encrypt(_)) => &[ENCRYPT],
        Some(KeyMaterial::EncryptAndSign { .. }) => &[ENCRYPT, SIGN],
    };
    let file = |kind: &KeyKind| {
        let path = table.value(kind.file)?.as_str()?;
        Some(table.resolve(kind.file, path))
    };
    kinds.iter().filter_map(file).collect()
}

/// The keys of one kind in a table: a text, a list of texts, or a file with one key a line. Keys
/// of fewer than `least` bytes are weak.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    kind: &KeyKind,
    least: usize,
) -> Vec<Zeroizing<Vec<u8>>> {
    let mut keys: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    let Some(place) = kind.given(table) else { return keys };
    for text in texts(table, kind) {
        let Some(key) = decode(&text).filter(|key| !key.is_empty()) else {
            table.problem(place, undecodable(&text));
            continue;
        };
        if keys.contains(&key) {
            table.problem(place, "the list holds one key twice; remove one");
            continue;
        }
        if let Some(weakness) = weakness(&key, least) {
            table.weakness(place, &format!("{weakness}; {MAKE_ONE}"));
        }
        keys.push(key);
    }
    keys
}

/// What is wrong with a text that is not a key.
fn undecodable(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return format!("empty; {MAKE_ONE}");
    }
    if text.starts_with(['\'', '"']) {
        return "the quotes are a part of the value here; write the key without them".into();
    }
    let mut parts = text.split([',', ';', ' ', '\n']).filter(|part| !part.is_empty());
    if text.contains([',', ';', ' ', '\n']) && parts.all(|part| decode(part).is_some()) {
        return "several keys are a list: [\"…\", \"…\"], in a variable within single quotes: '[\"…\",\"…\"]'; in a file one a line".into();
    }
    format!("a key is neither hexadecimal nor base64; {MAKE_ONE}")
}

/// The keys as they are written in the table or the file.
fn texts(table: &mut Table<'_, '_>, kind: &KeyKind) -> Vec<Zeroizing<String>> {
    let (value, file) = (table.value(kind.key).cloned(), table.value(kind.file).cloned());
    let (place, texts) = match (value, file) {
        (Some(_), Some(_)) => {
            let message = format!("cannot be combined with `{}`; keep one of them", kind.key);
            table.problem(kind.file, message);
            return Vec::new();
        }
        (Some(Value::Array(_, values)), None) => {
            let texts = values.into_iter().map(|value| text(table, kind, value)).collect();
            (kind.key, texts)
        }
        (Some(value), None) => (kind.key, text(table, kind, value).map(|text| vec![text])),
        (None, Some(Value::String(..))) => {
            (kind.file, table.lines_of_file(kind.file, "one key a line"))
        }
        (None, Some(_)) => {
            table.problem(kind.file, "expected the path of a file in quotes");
            return Vec::new();
        }
        (None, None) => return Vec::new(),
    };
    if texts.as_ref().is_some_and(Vec::is_empty) {
        table.problem(place, format!("holds no key; {MAKE_ONE}"));
    }
    texts.unwrap_or_default()
}

fn text(table: &mut Table<'_, '_>, kind: &KeyKind, value: Value) -> Option<Zeroizing<String>> {
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

/// Decodes `hex:…` or `base64:…`. Without a prefix, a key that can be read as hexadecimal is
/// hexadecimal.
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
    hex::decode(digits).ok().map(Zeroizing::new)
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
