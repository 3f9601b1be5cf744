//! The native token formats: every kind round-trips, and nothing else opens.

use super::*;
use crate::config::Secret;

const LIMIT: usize = 8192;

fn secret(byte: u8) -> KeyMaterial {
    KeyMaterial::Secret(Secret::new((0..32).map(|i| byte ^ i).collect()))
}

fn sealer_for(
    app: &str,
    session: &str,
    transport: TransportBinding<'_>,
    protect: Protect,
    keys: &[KeyMaterial],
) -> Sealer {
    Sealer::new(&Binding { app, session, transport }, protect, Suite::A128CbcHs256, keys).unwrap()
}

fn sealer(protect: Protect, keys: &[KeyMaterial]) -> Sealer {
    sealer_for("app", "user_session", TransportBinding::Cookie, protect, keys)
}

fn claims() -> Claims {
    let time = Timestamp::from_millis;
    let times = Times { created: time(1), seen: time(2), authenticated: time(3), idle_override: 4 };
    Claims { times, epoch: 5, token_id: [6; 16] }
}

fn seal(sealer: &Sealer, payload: &[u8]) -> String {
    sealer.seal_payload(&claims(), payload, &Random::System).unwrap()
}

fn open(sealer: &Sealer, token: &str) -> Option<(Claims, Vec<u8>)> {
    sealer.open_payload(token, LIMIT, |_| true).map(|opened| opened.content)
}

fn id() -> SessionId {
    SessionId::from_bytes(&[7; 32])
}

#[test]
fn every_kind_and_suite_round_trips() {
    for protect in [Protect::Encrypt, Protect::Sign, Protect::None] {
        for suite in [Suite::A128CbcHs256, Suite::A192CbcHs384, Suite::A256CbcHs512] {
            let keys = if protect == Protect::None { vec![] } else { vec![secret(1)] };
            let binding =
                Binding { app: "", session: "s", transport: TransportBinding::Custom("x") };
            let sealer = Sealer::new(&binding, protect, suite, &keys).unwrap();
            for payload in [&b""[..], b"x", &[0xff; 100]] {
                let token = seal(&sealer, payload);
                assert_eq!(token.len(), sealer.payload_token_len(payload.len()));
                assert_eq!(
                    open(&sealer, &token),
                    Some((claims(), payload.to_vec())),
                    "{protect:?}"
                );
                assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            }
        }
    }
    let signed = sealer(Protect::Sign, &[secret(1)]);
    let token = signed.seal_id(&id());
    assert_eq!(token.len(), 94);
    assert_eq!(signed.open_id(&token).unwrap().content, id());
    let plain = sealer(Protect::None, &[]);
    assert_eq!(plain.open_id(&plain.seal_id(&id())).unwrap().content, id());
}

#[test]
fn s23_any_flipped_bit_any_cut_and_any_addition_is_refused() {
    for protect in [Protect::Encrypt, Protect::Sign] {
        let sealer = sealer(protect, &[secret(1)]);
        let opens = |token: &str| open(&sealer, token).is_some() || sealer.open_id(token).is_some();
        let mut tokens = vec![seal(&sealer, b"payload")];
        if protect == Protect::Sign {
            tokens.push(sealer.seal_id(&id()));
        }
        for token in tokens {
            assert!(opens(&token));
            let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!opens(&URL_SAFE_NO_PAD.encode(flipped)), "{protect:?} bit {bit}");
            }
            for length in 0..token.len() {
                assert!(!opens(&token[..length]), "{protect:?} cut to {length}");
            }
            assert!(!opens(&format!("{token}A")) && !opens(&format!("{token}AAAA")));
        }
    }
}

#[test]
fn s23_iv_and_ciphertext_cannot_be_spliced_between_tokens() {
    let sealer = sealer(Protect::Encrypt, &[secret(1)]);
    let one = URL_SAFE_NO_PAD.decode(seal(&sealer, b"one")).unwrap();
    let two = URL_SAFE_NO_PAD.decode(seal(&sealer, b"two")).unwrap();
    for cut in [PAYLOAD_HEADER, PAYLOAD_HEADER + 16, one.len() - 16] {
        let spliced = [&one[..cut], &two[cut..]].concat();
        let whole = spliced == one || spliced == two;
        assert_eq!(open(&sealer, &URL_SAFE_NO_PAD.encode(spliced)).is_some(), whole, "{cut}");
    }
}

#[test]
fn s17_s28_s29_a_token_is_bound_to_app_session_transport_and_kind() {
    use TransportBinding::{Cookie, Custom, Header};
    let keys = || [secret(1)];
    let token = seal(&sealer_for("ab", "c", Cookie, Protect::Encrypt, &keys()), b"x");
    for (app, session, transport) in [
        ("", "c", Cookie),
        ("a", "bc", Cookie),
        ("ab", "d", Cookie),
        ("ab", "c", Header),
        ("ab", "c", Custom("")),
    ] {
        assert!(
            open(&sealer_for(app, session, transport, Protect::Encrypt, &keys()), &token).is_none()
        );
    }
    let signed = seal(&sealer(Protect::Sign, &keys()), b"x");
    let plain = seal(&sealer(Protect::None, &[]), b"x");
    assert!(open(&sealer(Protect::Encrypt, &keys()), &signed).is_none());
    assert!(open(&sealer(Protect::Sign, &keys()), &plain).is_none());
    assert!(open(&sealer(Protect::None, &[]), &signed).is_none());
    assert!(
        sealer(Protect::Sign, &keys())
            .open_id(&sealer(Protect::None, &[]).seal_id(&id()))
            .is_none()
    );
}

#[test]
fn s30_s31_other_versions_encodings_and_plain_payloads_are_refused() {
    let sealer = sealer(Protect::Sign, &[secret(1)]);
    let token = sealer.seal_id(&id());
    let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
    for version in [0, 2, 255] {
        let mut other = bytes.clone();
        other[0] = version;
        assert!(sealer.open_id(&URL_SAFE_NO_PAD.encode(other)).is_none());
    }
    let last = token.as_bytes()[93];
    let nonzero_tail = format!("{}{}", &token[..93], char::from(last + 1));
    for text in [
        format!("{token}="),
        format!("{token}=="),
        format!(" {token}"),
        format!("{token}\n"),
        token.replacen(|c: char| c.is_ascii_alphabetic(), "+", 1),
        token.replacen('_', "/", 1) + "/",
        nonzero_tail,
        String::new(),
        "{\"id\":1}".into(),
        "eyJpZCI6MX0".into(),
    ] {
        assert!(sealer.open_id(&text).is_none() && open(&sealer, &text).is_none(), "{text}");
    }
}

#[test]
fn s32_the_first_key_seals_and_all_open() {
    let old = sealer(Protect::Encrypt, &[secret(1)]);
    let both = sealer(Protect::Encrypt, &[secret(2), secret(1)]);
    let new = sealer(Protect::Encrypt, &[secret(2)]);
    let token = seal(&old, b"x");
    let opened = both.open_payload(&token, LIMIT, |_| true).unwrap();
    assert!(opened.stale_key);
    assert!(open(&new, &token).is_none());
    let reissued = seal(&both, &opened.content.1);
    assert!(!new.open_payload(&reissued, LIMIT, |_| true).unwrap().stale_key);
    let twice = Sealer::new(
        &Binding { app: "", session: "s", transport: TransportBinding::Cookie },
        Protect::Sign,
        Suite::A128CbcHs256,
        &[secret(1), secret(1)],
    );
    assert!(twice.is_err());
}

#[test]
fn s26_every_seal_has_its_own_iv_and_s33_lengths_do_not_compress() {
    let sealer = sealer(Protect::Encrypt, &[secret(1)]);
    let tokens: std::collections::HashSet<_> = (0..1000).map(|_| seal(&sealer, b"x")).collect();
    assert_eq!(tokens.len(), 1000);
    let random: Vec<u8> =
        (0..1000u32).map(|i| b'a' + u8::try_from(i * 7919 % 26).unwrap()).collect();
    assert_eq!(seal(&sealer, &[b'a'; 1000]).len(), seal(&sealer, &random).len());
}

#[test]
fn s2_a_broken_random_generator_seals_nothing() {
    let sealer = sealer(Protect::Encrypt, &[secret(1)]);
    assert!(matches!(
        sealer.seal_payload(&claims(), b"x", &Random::Broken),
        Err(SessionError::Random)
    ));
    assert!(SessionId::random(&Random::Broken).is_err());
}

#[test]
fn s54_a_long_token_is_refused_by_its_length() {
    let sealer = sealer(Protect::Sign, &[secret(1)]);
    assert!(open(&sealer, &"A".repeat(420_000)).is_none());
    assert!(sealer.open_payload(&seal(&sealer, b"x"), 10, |_| true).is_none());
}

#[test]
fn s34_no_key_means_no_sealer_unless_nothing_is_protected() {
    let make = |protect, keys: &[KeyMaterial]| {
        let binding = Binding { app: "", session: "s", transport: TransportBinding::Cookie };
        Sealer::new(&binding, protect, Suite::A128CbcHs256, keys).is_ok()
    };
    assert!(!make(Protect::Encrypt, &[]) && !make(Protect::Sign, &[]) && make(Protect::None, &[]));
    assert!(!make(Protect::None, &[secret(1)]));
}

/// One case of `tests/vectors/native.json`.
#[derive(serde::Deserialize)]
struct Vector {
    app: String,
    session: String,
    transport: String,
    content: String,
    protect: String,
    suite: String,
    keys: std::collections::HashMap<String, String>,
    times: [u64; 3],
    idle_override: u32,
    epoch: u64,
    token_id: String,
    payload: String,
    token: String,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

impl Vector {
    /// What a token is bound to; a single key serves every purpose, whatever
    /// it is called.
    fn binding(&self) -> [&str; 6] {
        let (one, other) = match (self.keys.get("encrypt_key"), self.keys.get("sign_key")) {
            (Some(encrypt), Some(sign)) => (encrypt.as_str(), sign.as_str()),
            _ => (self.keys.values().next().map_or("", String::as_str), ""),
        };
        [&self.app, &self.transport, &self.protect, &self.suite, one, other]
    }

    fn sealer(&self) -> Sealer {
        let protect = match self.protect.as_str() {
            "encrypt" => Protect::Encrypt,
            "sign" => Protect::Sign,
            _ => Protect::None,
        };
        let suites = [Suite::A128CbcHs256, Suite::A192CbcHs384, Suite::A256CbcHs512];
        let suite = suites.into_iter().find(|suite| suite.name() == self.suite).unwrap();
        let key = |name: &str| self.keys.get(name).map(|key| Secret::new(unhex(key)));
        let material = match (key("secret"), key("encrypt_key"), key("sign_key")) {
            (Some(secret), ..) => Some(KeyMaterial::Secret(secret)),
            (_, Some(encrypt), Some(sign)) => Some(KeyMaterial::EncryptAndSign { encrypt, sign }),
            (_, Some(encrypt), None) => Some(KeyMaterial::Encrypt(encrypt)),
            (_, None, sign) => sign.map(KeyMaterial::Sign),
        };
        let transport = match self.transport.as_str() {
            "cookie" => TransportBinding::Cookie,
            "header" => TransportBinding::Header,
            custom => TransportBinding::Custom(custom),
        };
        let binding = Binding { app: &self.app, session: &self.session, transport };
        let materials: Vec<_> = material.into_iter().collect();
        Sealer::new(&binding, protect, suite, &materials).unwrap()
    }
}

#[test]
fn s27_s28_tokens_of_an_independent_implementation_open_and_are_made_byte_for_byte() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("../../tests/vectors/native.json")).unwrap();
    assert!(vectors.len() > 50);
    for vector in &vectors {
        let sealer = vector.sealer();
        if vector.content == "id" {
            let id = SessionId::from_bytes(&std::array::from_fn(|i| u8::try_from(i).unwrap()));
            assert_eq!(sealer.seal_id(&id), vector.token);
            assert!(sealer.open_id(&vector.token).unwrap().content == id);
            continue;
        }
        let [created, seen, authenticated] = vector.times.map(Timestamp::from_millis);
        let claims = Claims {
            times: Times { created, seen, authenticated, idle_override: vector.idle_override },
            epoch: vector.epoch,
            token_id: unhex(&vector.token_id).try_into().unwrap(),
        };
        let payload = unhex(&vector.payload);
        let iv = Random::Scripted(std::sync::Arc::new(parking_lot::Mutex::new(vec![0x2a])));
        assert_eq!(sealer.seal_payload(&claims, &payload, &iv).unwrap(), vector.token);
        assert_eq!(open(&sealer, &vector.token), Some((claims, payload)));
    }
    // None opens under another's definition.
    for (n, one) in vectors.iter().enumerate() {
        let sealer = one.sealer();
        for (m, other) in vectors.iter().enumerate().filter(|(m, _)| *m != n) {
            let same = one.binding() == other.binding();
            let opens =
                open(&sealer, &other.token).is_some() || sealer.open_id(&other.token).is_some();
            // Unprotected tokens are bound to nothing.
            let bound = one.protect != "none" || other.protect != "none";
            assert!(!bound || opens == same, "{n} {m}");
        }
    }
}

#[test]
fn s27_hkdf_is_rfc_5869() {
    // Appendix A.1 and A.3.
    let expand = |salt: &[u8], secret: &[u8], info: &[u8]| {
        let mut okm = [0; 42];
        hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), secret).expand(info, &mut okm).unwrap();
        okm
    };
    let first =
        expand(&unhex("000102030405060708090a0b0c"), &[0x0b; 22], &unhex("f0f1f2f3f4f5f6f7f8f9"));
    assert_eq!(
        first.as_slice(),
        unhex(
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        )
    );
    assert_eq!(
        expand(b"", &[0x0b; 22], b"").as_slice(),
        unhex(
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        )
    );
}

#[test]
fn s1_a_million_ids_are_distinct_and_every_bit_is_as_often_set_as_not() {
    const IDS: usize = 1_000_000;
    let mut seen = std::collections::HashSet::with_capacity(IDS);
    let mut set = [0_u32; 256];
    for _ in 0..IDS {
        let bytes = SessionId::random(&Random::System).unwrap().to_bytes();
        for (bit, count) in set.iter_mut().enumerate() {
            *count += u32::from(bytes[bit / 8] >> (bit % 8) & 1);
        }
        assert!(seen.insert(bytes));
    }
    for (bit, count) in set.iter().enumerate() {
        let share = f64::from(*count) / 1e6;
        assert!((0.497..=0.503).contains(&share), "bit {bit}: {share}");
    }
}

#[test]
fn s25_tags_are_compared_whole_and_in_constant_time() {
    let sealer = sealer(Protect::Encrypt, &[secret(1)]);
    let token = URL_SAFE_NO_PAD.decode(seal(&sealer, b"x")).unwrap();
    let tag = token.len() - 16;
    for length in [0, 1, 15, 17, 32] {
        let mut cut = token[..tag].to_vec();
        cut.extend((0..length).map(|i| token[tag + i % 16]));
        assert_eq!(open(&sealer, &URL_SAFE_NO_PAD.encode(cut)), None, "a tag of {length} bytes");
    }
    // Nothing in the sources compares a tag or a secret in any other way.
    for source in
        [include_str!("mod.rs"), include_str!("suite.rs"), include_str!("../by_id/envelope.rs")]
    {
        assert!(source.contains("ct_eq"));
        for line in source.lines().filter(|line| line.contains("==") || line.contains("!=")) {
            let line = line.to_lowercase().replace("mac.len()", "");
            assert!(
                !line.contains("tag") && !line.contains("secret") && !line.contains("mac"),
                "{line}"
            );
        }
    }
}
