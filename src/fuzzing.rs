//! What the fuzz targets need of the inside. Compiled for them only.

use base64::Engine as _;
use figment::Figment;
use figment::providers::{Format, Toml};

use crate::config::{self, KeyMaterial, Protect, Registered, Secret};
use crate::expiry::{Times, Timestamp};
use crate::random::Random;
use crate::storage::{self, Record, StorageKey, Version};
use crate::token::{Binding, Claims, Sealer, SessionId, Suite, TransportBinding};
use crate::tracker::Envelope;

/// Opens `data` as a token, then seals it and opens that.
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
    let binding = Binding { app: "", session: "fuzz", transport: TransportBinding::Cookie };
    let sealer = Sealer::new(&binding, protect, suite, &keys).unwrap_or_else(|why| panic!("{why}"));

    let as_text = String::from_utf8_lossy(data);
    for text in
        [as_text.into_owned(), base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(data)]
    {
        let forged =
            sealer.open_payload(&text, 8192, |_| true).is_some() || sealer.open_id(&text).is_some();
        assert!(!forged || protect == Protect::None, "a forged token was opened");
    }

    let number = |at: usize| {
        data.get(at..).and_then(|data| data.first_chunk()).map_or(0, |n| u64::from_le_bytes(*n))
    };
    let time = |at| Timestamp::from_millis(number(at));
    let times = Times {
        created: time(0),
        seen: time(8),
        authenticated: time(16),
        idle_override: u32::from_le_bytes(*data.first_chunk().unwrap_or(&[0; 4])),
    };
    let claims = Claims { times, epoch: number(24), token_id: [kind; 16] };
    let sealed = sealer.seal_payload(&claims, data, &Random::default());
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
        let opened = (protect != Protect::Encrypt).then(|| sealer.open_id(&sealer.seal_id(&id)));
        assert!(opened.is_none_or(|opened| opened.is_some_and(|opened| opened.content == id)));
    }
}

/// Reads `text` as Rocket.toml.
pub fn configuration(text: &str) {
    const CANARY: &str = "kanarienvogel-kanarienvogel-kanarienvogel";
    let figment = Figment::from(rocket::Config::default())
        .merge(Toml::string(text).nested())
        .merge(("sessions.fuzz.secret", CANARY))
        .select("release");
    if let Err(problems) = config::read(&figment, &Registered::default()) {
        assert!(!problems.is_empty());
        assert!(!problems.iter().any(|problem| problem.to_string().contains(CANARY)));
    }
}

/// Reads `data` as a record's file and as an envelope, then writes and reads it.
pub fn record(data: &[u8]) {
    let key = StorageKey::from_bytes([7; 32]);
    let _ = storage::bytes::read(&key, data);
    let _ = storage::bytes::expires(&key, data);
    let _ = Envelope::unwrap(data, "fuzz");
    let record = Record {
        payload: data.into(),
        owner: None,
        created: Timestamp::ZERO,
        last_seen: Timestamp::ZERO,
        expires: Timestamp::from_millis(1),
    };
    let mut file = storage::bytes::write(&key, Version(data.len() as u64), &record);
    let entry = storage::bytes::read(&key, &file);
    assert!(entry.is_ok_and(|entry| entry.stored.record == record));
    let at = data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % file.len();
    file[at] ^= 1;
    // Only the second touch slot is unused in a fresh record.
    assert!(storage::bytes::read(&key, &file).is_err() || (64..120).contains(&at));
}
