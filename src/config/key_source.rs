//! Decides in one table which of the given keys a session uses.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::keys::{self, ENCRYPT, KINDS, LENGTHS, SECRET, SIGN};
use super::ktor::{self, KtorUse};
use super::settings::{Keys, KtorSettings};
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::crypto::{Protect, Random, Secret};
use crate::table::Table;

type Bytes = Zeroizing<Vec<u8>>;

/// What determines the required lengths of a session's keys, and which keys it uses.
pub(super) struct KeyNeeds<'a> {
    pub name: &'a str,
    pub protect: Protect,
    pub suite: Suite,
    pub on_server: bool,
    pub ktor_use: KtorUse,
}

/// The formats that the keys protect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Formats {
    /// The native format. Ktor's format, if it is accepted, uses the same keys.
    Native,
    /// The native format uses a secret, so `sign_key` and `encrypt_key` belong to Ktor's accepted
    /// format alone.
    NativeBesideKtor,
    Ktor,
    /// Ktor's format for an id that nothing protects.
    UnprotectedKtorId,
}

/// The keys of the table that are used.
#[derive(Clone, Copy)]
enum KeySource {
    Secret,
    Sign,
    Encrypt,
    EncryptAndSign,
    /// No key is given. In the debug profile, a random key is made for this process.
    Random,
}

/// For which sessions the secrets were written that a session may use.
#[derive(Clone, Copy)]
enum SecretsFor {
    This,
    All,
    Missing,
}

/// What the keys protect.
#[derive(Clone, Copy)]
enum KeyUse {
    Tokens,
    /// Only CSRF tokens use the keys. The session's tokens are protected by Ktor's keys or not at
    /// all.
    CsrfOnly,
}

/// The key that must be removed or added, and the reason.
struct Refusal(&'static str, Cow<'static, str>);

/// Decides which keys a session uses, by its formats, its protection, the available secrets, and
/// whether its table has a `sign_key` and an `encrypt_key`.
// Each row is one case.
#[allow(clippy::match_same_arms)]
fn choose(
    formats: Formats,
    protect: Protect,
    secrets: SecretsFor,
    [sign, encrypt]: [bool; 2],
) -> Result<(KeyUse, KeySource), Refusal> {
    use Formats::{Ktor, Native, NativeBesideKtor, UnprotectedKtorId};
    use KeyUse::{CsrfOnly, Tokens};
    use Protect::{Encrypt, None, Sign};
    use SecretsFor::{Missing, This};
    let refuse = |key, why: &'static str| Err(Refusal(key, why.into()));
    match (formats, protect, secrets, sign, encrypt) {
        (UnprotectedKtorId, ..) | (NativeBesideKtor, None, ..) => Ok((CsrfOnly, KeySource::Secret)),
        (NativeBesideKtor, ..) => Ok((Tokens, KeySource::Secret)),
        (Ktor, _, This, ..) => refuse("secret", KTORS_KEYS),
        (Ktor, ..) => Ok((CsrfOnly, KeySource::Sign)),
        (Native, None, _, false, false) => Ok((CsrfOnly, KeySource::Secret)),
        (Native, None, ..) => refuse("protect", NO_KEY),
        (Native, _, Missing, false, false) => Ok((Tokens, KeySource::Random)),
        (Native, _, _, false, false) => Ok((Tokens, KeySource::Secret)),
        (Native, _, This, ..) => refuse("secret", ONE_OR_THE_OTHER),
        (Native, Sign, _, _, true) => refuse("encrypt_key", NOTHING_TO_ENCRYPT),
        (Native, Sign, _, true, false) => Ok((Tokens, KeySource::Sign)),
        (Native, Encrypt, _, true, false) => refuse("sign_key", NO_ENCRYPT_KEY),
        (Native, Encrypt, _, true, true) => Ok((Tokens, KeySource::EncryptAndSign)),
        (Native, Encrypt, _, false, true) => Ok((Tokens, KeySource::Encrypt)),
    }
}

const KTORS_KEYS: &str =
    "Ktor's format uses `sign_key` and `encrypt_key`, the keys of the Ktor service; remove it";
const NO_KEY: &str = "\"none\" uses no key, but a `secret` for CSRF tokens; remove the other keys, or write \"sign\" or \"encrypt\"";
const ONE_OR_THE_OTHER: &str =
    "cannot be combined with `sign_key` or `encrypt_key`; keep one or the other";
const NOTHING_TO_ENCRYPT: &str = "not used with `protect = \"sign\"`; write `sign_key` or `secret`";
const NO_ENCRYPT_KEY: &str =
    "`protect = \"encrypt\"` needs an `encrypt_key` beside it, or a `secret` instead";

/// Reads the keys of one session. Ktor's format uses `sign_key` and `encrypt_key` unchanged. The
/// native format derives its keys from `secret` or, without one, from `sign_key` and
/// `encrypt_key`. The keys are not judged unless `is_known`, which says that what they are for is.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    session: &KeyNeeds<'_>,
    is_known: bool,
    ktor: Option<&mut KtorSettings>,
) -> Keys {
    let (secrets, whose) = read_secrets(table);
    let formats = session.formats(!secrets.is_empty(), ktor.as_deref());
    let used = session.used(table, formats, whose, ktor.as_deref());
    let least = |native| if formats == Formats::Native { native } else { 0 };
    let mut read_used = |kind, is_used, least| {
        if is_used { keys::read(table, kind, least) } else { Vec::new() }
    };
    let sign = read_used(&SIGN, used[0], least(32));
    let encrypt = read_used(&ENCRYPT, used[1], least(session.suite.key_len()));
    if !is_known || !KINDS.iter().all(|kind| table.is_sound(&kind.names())) {
        return Keys::default();
    }
    if let Some(ktor) = ktor {
        if formats != Formats::Native {
            warn_of_short_keys(table, &sign);
        }
        ktor.keys = ktor::pair_keys(table, ktor, &sign, &encrypt);
    }
    let given = [(&SIGN, used[0]), (&ENCRYPT, used[1])];
    let given = given.map(|(kind, is_used)| is_used && kind.is_given(table));
    let chosen = choose(formats, session.protect, whose, given);
    let taken = chosen.and_then(|(purpose, source)| {
        let keys = take(table, session.name, source, [&secrets, &sign, &encrypt])?;
        Ok(match purpose {
            KeyUse::Tokens => Keys { tokens: keys, csrf: Vec::new() },
            KeyUse::CsrfOnly => Keys { tokens: Vec::new(), csrf: keys },
        })
    });
    taken.unwrap_or_else(|Refusal(key, why)| {
        table.problem(key, why);
        Keys::default()
    })
}

/// Warns of keys that Ktor accepts and that are shorter than they should be.
fn warn_of_short_keys(table: &mut Table<'_, '_>, sign: &[Bytes]) {
    if sign.iter().any(|key| key.len() < 32) {
        table.warning("sign_key", "a key of less than 32 bytes, like those in Ktor's documentation, may be guessed before a session ends; use a longer one in both services");
    }
}

/// The keys of the source that was chosen.
fn take(
    table: &mut Table<'_, '_>,
    session: &str,
    source: KeySource,
    [secrets, sign, encrypt]: [&[Bytes]; 3],
) -> Result<Vec<KeyMaterial>, Refusal> {
    if !secrets.is_empty() && !matches!(source, KeySource::Secret) {
        SECRET.names().into_iter().for_each(|key| table.idle(key));
    }
    match source {
        KeySource::Secret => Ok(make(secrets, KeyMaterial::Secret)),
        KeySource::Sign => Ok(make(sign, KeyMaterial::Sign)),
        KeySource::Encrypt => Ok(make(encrypt, KeyMaterial::Encrypt)),
        KeySource::EncryptAndSign => pair(encrypt, sign),
        KeySource::Random => random(table, session),
    }
}

/// The session's own secrets, or those of all sessions.
fn read_secrets(table: &mut Table<'_, '_>) -> (Vec<Bytes>, SecretsFor) {
    let secrets = keys::read(table, &SECRET, 32);
    let whose = match SECRET.is_given(table) {
        false => SecretsFor::Missing,
        true if SECRET.is_for_all(table) => SecretsFor::All,
        true => SecretsFor::This,
    };
    (secrets, whose)
}

impl KeyNeeds<'_> {
    /// Whether `sign_key` and `encrypt_key` are used. Those of all sessions are used by the
    /// sessions that need them, and a session's own are always used or refused.
    fn used(
        &self,
        table: &Table<'_, '_>,
        formats: Formats,
        secrets: SecretsFor,
        ktor: Option<&KtorSettings>,
    ) -> [bool; 2] {
        let needs = match (formats, ktor) {
            (Formats::Native, _) => {
                let needs = matches!(secrets, SecretsFor::Missing) && self.protect != Protect::None;
                let encrypts = self.protect == Protect::Encrypt;
                let can = !encrypts || ENCRYPT.is_given(table);
                [needs && can, needs && encrypts]
            }
            (_, Some(ktor)) => {
                [!ktor.transform.is_empty(), ktor.has(super::KtorTransform::Encrypt)]
            }
            (_, None) => [false, false],
        };
        [(&SIGN, needs[0]), (&ENCRYPT, needs[1])]
            .map(|(kind, is_needed)| is_needed || !kind.is_for_all(table))
    }

    fn formats(&self, has_secret: bool, ktor: Option<&KtorSettings>) -> Formats {
        let is_unprotected = ktor.is_some_and(|ktor| ktor.transform.is_empty());
        match self.ktor_use {
            KtorUse::Written if is_unprotected && self.on_server => Formats::UnprotectedKtorId,
            KtorUse::Written => Formats::Ktor,
            KtorUse::Accepted if has_secret => Formats::NativeBesideKtor,
            KtorUse::Accepted | KtorUse::Never => Formats::Native,
        }
    }
}

fn make(keys: &[Bytes], make: fn(Secret) -> KeyMaterial) -> Vec<KeyMaterial> {
    keys.iter().map(|key| make(Secret::new(key.to_vec()))).collect()
}

fn pair(encrypt: &[Bytes], sign: &[Bytes]) -> Result<Vec<KeyMaterial>, Refusal> {
    if sign.len() != encrypt.len() {
        return Err(Refusal("sign_key", LENGTHS.into()));
    }
    let pairs = encrypt.iter().zip(sign);
    let pair = |(encrypt, sign): (&Bytes, &Bytes)| KeyMaterial::EncryptAndSign {
        encrypt: Secret::new(encrypt.to_vec()),
        sign: Secret::new(sign.to_vec()),
    };
    Ok(pairs.map(pair).collect())
}

/// The key of a session for which none is given: a random one, in the debug profile only.
fn random(table: &mut Table<'_, '_>, name: &str) -> Result<Vec<KeyMaterial>, Refusal> {
    table.context.keyless.push(name.to_owned());
    let key = Random::default().bytes::<32>();
    let key = key.map_err(|cause| Refusal("secret", cause.to_string().into()))?;
    Ok(vec![KeyMaterial::Secret(Secret::new(key.to_vec()))])
}
