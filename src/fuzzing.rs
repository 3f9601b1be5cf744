//! The internals that the fuzz targets need. This file is compiled only for them.

use base64::Engine as _;
use figment::Figment;
use figment::providers::{Format, Toml};

use crate::by_id::Envelope;
use crate::config::{self, Protect, Registered};
use crate::crypto::aead::Suite;
use crate::crypto::keys::{Binding, KeyMaterial, TransportBinding};
use crate::crypto::mac::{Mac, MacAlgorithm};
use crate::crypto::{Random, Secret};
use crate::expiry::{OwnLifetime, Times, Timestamp};
use crate::ktor;
use crate::storage::{self, Record, StorageKey, Version};
use crate::token::{Claims, Sealer, SessionId, TokenKind};

/// Opens `data` as a token. Then seals `data` and opens the result.
pub fn token(kind: u8, data: &[u8]) {
    let (protect, suite) = match kind % 5 {
        0 => (Protect::Encrypt, Suite::A128CbcHs256),
        1 => (Protect::Encrypt, Suite::A192CbcHs384),
        2 => (Protect::Encrypt, Suite::A256CbcHs512),
        3 => (Protect::Sign, Suite::A128CbcHs256),
        _ => (Protect::None, Suite::A128CbcHs256),
    };
    let key =
        KeyMaterial::Secret(Secret::new(b"a secret of at least 32 bytes for fuzzing".to_vec()));
    let keys = if protect == Protect::None { vec![] } else { vec![key] };
    let sealer = |kind| {
        let binding = Binding { app: "", session: "fuzz", transport: TransportBinding::Cookie };
        Sealer::new(&binding, kind, suite, &keys).unwrap_or_else(|why| panic!("{why}"))
    };
    let (sealer, of_ids) = (sealer(TokenKind::payload(protect)), sealer(TokenKind::id(protect)));

    let as_text = String::from_utf8_lossy(data);
    for text in
        [as_text.into_owned(), base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(data)]
    {
        let forged =
            sealer.open_payload(&text, 8192, |_| true).is_some() || of_ids.open_id(&text).is_some();
        assert!(!forged || protect == Protect::None, "a forged token was opened");
    }

    ktor_token(kind, data);

    let number = |at: usize| {
        data.get(at..).and_then(|data| data.first_chunk()).map_or(0, |n| u64::from_le_bytes(*n))
    };
    let time = |at| Timestamp::from_millis(number(at));
    let times = Times {
        created: time(0),
        seen: time(8),
        authenticated: time(16),
        lifetime: OwnLifetime::from_bytes(number(24).to_be_bytes()).unwrap_or_default(),
    };
    let (epoch, incarnation, generation) = (number(32), number(40), number(48) as u32);
    let claims = Claims { times, epoch, incarnation, token_id: [kind; 16], generation };
    let sealed = sealer.seal_payload(&claims, data, usize::MAX, &Random::default());
    let sealed = sealed.unwrap_or_else(|why| panic!("{why}"));
    let opened = sealer.open_payload(&sealed, usize::MAX, |_| true);
    assert!(opened.is_some_and(|opened| opened.content == (claims, data.to_vec())));
    if protect != Protect::None {
        let mut changed = sealed.into_bytes();
        let at = usize::from(kind) * 7 % changed.len();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8_lossy(&changed);
        assert!(sealer.open_payload(&changed, usize::MAX, |_| true).is_none());
    }
    if let Some(id) = data.first_chunk() {
        let id = SessionId::from_bytes(id);
        let opened = of_ids.seal_id(&id).ok().and_then(|token| of_ids.open_id(&token));
        assert!(opened.is_some_and(|opened| opened.content == id));
    }
}

/// Opens `data` as a Ktor token and as a form. Then seals `data` and opens the result.
fn ktor_token(kind: u8, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mac = || Mac::new(MacAlgorithm::HmacSha256, b"a key");
    let encoding = [
        Some(ktor::CookieEncoding::Uri),
        Some(ktor::CookieEncoding::Base64),
        Some(ktor::CookieEncoding::Dquotes),
        None,
    ][usize::from(kind) % 4];
    let cipher = mac().and_then(|mac| ktor::Cipher::new(&[7; 16], mac, kind % 2 == 0));
    let chain = mac().map(|mac| ktor::Transform::Mac(Box::new(mac))).into_iter();
    let chain = chain.chain(cipher.map(|cipher| ktor::Transform::Encrypt(Box::new(cipher))));
    let codec = ktor::Ktor::new(vec![chain.collect()], encoding, ktor::Serializer::Json);
    assert!(codec.open(&text).is_none(), "a forged token was opened");
    if let Ok(sealed) = codec.seal(&text, &Random::default()) {
        assert!(codec.open(&sealed).is_some_and(|(opened, _)| opened == text));
    }
    if let Ok(value) = ktor::from_form::<serde_json::Value>(&text) {
        let _ = ktor::to_form(&value, ktor::Variant::Reflection);
    }
}

/// Reads `text` as Rocket.toml.
pub fn configuration(text: &str) {
    const CANARY: &str = "canary-canary-canary-canary-canary-canary";
    let figment = Figment::from(rocket::Config::default())
        .merge(Toml::string(text).nested())
        .merge(("sessions.fuzz.secret", CANARY))
        .select("release");
    if let Err(problems) = config::read(&figment, &Registered::default()) {
        assert!(!problems.is_empty());
        assert!(!problems.iter().any(|problem| problem.to_string().contains(CANARY)));
    }
}

/// Reads `data` as a record's file and as an envelope. Then writes a record and reads it again.
pub fn record(data: &[u8]) {
    let key = StorageKey::from_bytes([7; 32]);
    let _ = storage::bytes::read(&key, data);
    let _ = storage::bytes::heading(&key, data);
    if let Some((envelope, start)) = Envelope::unwrap(data, "fuzz") {
        assert_eq!(&*envelope.wrap("fuzz", &data[start..]), data);
    }
    let record = Record {
        version: Version::from_u64(data.len() as u64),
        payload: data.into(),
        owner: None,
        created: Timestamp::ZERO,
        last_seen: Timestamp::ZERO,
        expires: Timestamp::from_millis(1),
    };
    let mut file = storage::bytes::write(&key, &record);
    let read = storage::bytes::read(&key, &file);
    assert!(read.is_ok_and(|read| read == record));
    let at = data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % file.len();
    file[at] ^= 1;
    // Only the second touch slot of a fresh record is unused, so a change there goes unnoticed.
    assert!(storage::bytes::read(&key, &file).is_err() || (36..64).contains(&at));
}
