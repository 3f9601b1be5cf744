//! The native token formats: every kind round-trips, and nothing else opens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::config::Protect;
use crate::crypto::keys::TransportBinding;
use crate::crypto::{Secret, hex};

mod lists;
mod vectors;

const LIMIT: usize = 8192;

fn secret(byte: u8) -> KeyMaterial {
    KeyMaterial::Secret(Secret::new((0..32).map(|i| byte ^ i).collect()))
}

fn sealer_for(
    app: &str,
    session: &str,
    transport: TransportBinding<'_>,
    kind: TokenKind,
    keys: &[KeyMaterial],
) -> Sealer {
    Sealer::new(&Binding { app, session, transport }, kind, Suite::A128CbcHs256, keys).unwrap()
}

/// A sealer of payloads.
fn sealer(protect: Protect, keys: &[KeyMaterial]) -> Sealer {
    sealer_for("app", "user_session", TransportBinding::Cookie, TokenKind::payload(protect), keys)
}

/// A sealer of ids.
fn id_sealer(protect: Protect, keys: &[KeyMaterial]) -> Sealer {
    sealer_for("app", "user_session", TransportBinding::Cookie, TokenKind::id(protect), keys)
}

fn claims() -> Claims {
    let time = Timestamp::from_millis;
    let lifetime = OwnLifetime::Until(time(4));
    let times = Times { created: time(1), seen: time(2), authenticated: time(3), lifetime };
    Claims { times, epoch: 5, incarnation: 6, token_id: [7; 16], generation: 8 }
}

fn seal(sealer: &Sealer, payload: &[u8]) -> String {
    sealer.seal_payload(&claims(), payload, LIMIT, &Random::System).unwrap()
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
            let sealer = Sealer::new(&binding, TokenKind::payload(protect), suite, &keys).unwrap();
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
    let signed = id_sealer(Protect::Sign, &[secret(1)]);
    let token = signed.seal_id(&id()).unwrap();
    assert_eq!(token.len(), 94);
    assert_eq!(signed.open_id(&token).unwrap().content, id());
    let plain = id_sealer(Protect::None, &[]);
    assert_eq!(plain.open_id(&plain.seal_id(&id()).unwrap()).unwrap().content, id());
}

#[test]
fn s23_any_flipped_bit_any_cut_and_any_addition_is_refused() {
    let payloads = [Protect::Encrypt, Protect::Sign].map(|protect| sealer(protect, &[secret(1)]));
    let ids = id_sealer(Protect::Sign, &[secret(1)]);
    let sealed = payloads.map(|sealer| (seal(&sealer, b"payload"), sealer)).into_iter();
    for (token, sealer) in sealed.chain([(ids.seal_id(&id()).unwrap(), ids)]) {
        let opens = |token: &str| open(&sealer, token).is_some() || sealer.open_id(token).is_some();
        assert!(opens(&token));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&URL_SAFE_NO_PAD.encode(flipped)), "{:?} bit {bit}", sealer.kind);
        }
        for length in 0..token.len() {
            assert!(!opens(&token[..length]), "{:?} cut to {length}", sealer.kind);
        }
        assert!(!opens(&format!("{token}A")) && !opens(&format!("{token}AAAA")));
    }
}

#[test]
fn an_unprotected_token_is_read_strictly_and_never_panics() {
    let (payloads, ids) = (sealer(Protect::None, &[]), id_sealer(Protect::None, &[]));
    for (token, sealer, fixed) in [
        (seal(&payloads, b"x"), &payloads, PAYLOAD_HEADER),
        (ids.seal_id(&id()).unwrap(), &ids, HEADER),
    ] {
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        let opens = |bytes: &[u8]| {
            let token = URL_SAFE_NO_PAD.encode(bytes);
            open(sealer, &token).is_some() || sealer.open_id(&token).is_some()
        };
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // These bytes are the version, the kind, the key id, and the kind of lifetime.
            let refused =
                bit / 8 < HEADER || sealer.kind == TokenKind::PlainPayload && bit / 8 == 30;
            let known = bit / 8 == 30
                && OwnLifetime::from_bytes(*flipped[30..].first_chunk().unwrap()).is_some();
            assert_eq!(opens(&flipped), !refused || known, "{:?} bit {bit}", sealer.kind);
        }
        for length in 0..bytes.len() {
            let whole = sealer.kind == TokenKind::PlainPayload && length >= fixed;
            assert_eq!(opens(&bytes[..length]), whole, "{:?} cut to {length}", sealer.kind);
        }
    }
}

#[test]
fn the_mac_of_an_id_token_covers_every_byte_before_the_tag_in_one_block() {
    const BLOCK: usize = 64;
    let ids = id_sealer(Protect::Sign, &[secret(1)]);
    let token = URL_SAFE_NO_PAD.decode(ids.seal_id(&id()).unwrap()).unwrap();
    let (content, tag) = token.split_at(token.len() - SIGNATURE);
    let Some(Lock::Sign(mac)) = ids.keys.first().map(|key| &key.lock) else { panic!("signed") };
    assert_eq!(&mac.tag([content])[..], tag);
    // The hash appends a byte 0x80 and the length in bits to its last block.
    assert!(content.len() + 1 + 8 <= BLOCK, "{} bytes", content.len());
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
    let keys = [secret(1)];
    let kinds = [TokenKind::EncryptedPayload, TokenKind::SignedPayload, TokenKind::SignedId];
    let make =
        |kind: TokenKind, app, session, transport| sealer_for(app, session, transport, kind, &keys);
    for kind in kinds {
        let sealer = make(kind, "ab", "c", Cookie);
        let token = if kind == TokenKind::SignedId {
            sealer.seal_id(&id()).unwrap()
        } else {
            seal(&sealer, b"x")
        };
        let opens =
            |sealer: &Sealer| open(sealer, &token).is_some() || sealer.open_id(&token).is_some();
        assert!(opens(&sealer));
        for (app, session, transport) in [
            ("", "c", Cookie),
            ("a", "bc", Cookie),
            ("ab", "d", Cookie),
            ("ab", "c", Header),
            ("ab", "c", Custom("")),
        ] {
            assert!(!opens(&make(kind, app, session, transport)), "{kind:?} {app} {session}");
        }
        let others = kinds.into_iter().filter(|other| *other != kind);
        for other in others.map(|other| make(other, "ab", "c", Cookie)) {
            assert!(!opens(&other), "{kind:?} as {:?}", other.kind);
        }
        for plain in [TokenKind::PlainPayload, TokenKind::PlainId] {
            assert!(!opens(&sealer_for("ab", "c", Cookie, plain, &[])), "{kind:?} as {plain:?}");
        }
    }
    let (payload, id) = (
        seal(&sealer(Protect::None, &[]), b"x"),
        id_sealer(Protect::None, &[]).seal_id(&id()).unwrap(),
    );
    for kind in kinds {
        let sealer = make(kind, "app", "user_session", Cookie);
        assert!(open(&sealer, &payload).is_none() && sealer.open_id(&id).is_none(), "{kind:?}");
    }
}

#[test]
fn a_kind_that_is_written_into_the_token_of_another_does_not_make_it_that_kinds() {
    let sealers = [
        sealer(Protect::Encrypt, &[secret(1)]),
        sealer(Protect::Sign, &[secret(1)]),
        id_sealer(Protect::Sign, &[secret(1)]),
    ];
    let tokens =
        [seal(&sealers[0], b"x"), seal(&sealers[1], b"x"), sealers[2].seal_id(&id()).unwrap()];
    for token in tokens {
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        for sealer in sealers.iter().filter(|sealer| sealer.kind as u8 != bytes[1]) {
            // The right key id does not help a forged token.
            let mut forged = bytes.clone();
            forged[1] = sealer.kind as u8;
            forged[2..HEADER].copy_from_slice(&sealer.keys[0].id);
            let forged = URL_SAFE_NO_PAD.encode(forged);
            assert!(open(sealer, &forged).is_none() && sealer.open_id(&forged).is_none());
        }
    }
}

#[test]
fn s30_s31_other_versions_encodings_and_plain_payloads_are_refused() {
    let sealer = id_sealer(Protect::Sign, &[secret(1)]);
    let token = sealer.seal_id(&id()).unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
    for version in [0, 1, 3, 255] {
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
        sealer.seal_payload(&claims(), b"x", LIMIT, &Random::Broken),
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
        let made = [TokenKind::payload(protect), TokenKind::id(protect)]
            .map(|kind| Sealer::new(&binding, kind, Suite::A128CbcHs256, keys).is_ok());
        assert_eq!(made[0], made[1]);
        made[0]
    };
    assert!(!make(Protect::Encrypt, &[]) && !make(Protect::Sign, &[]) && make(Protect::None, &[]));
    assert!(!make(Protect::None, &[secret(1)]));
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
    // No source file compares a tag or a secret in any other way.
    assert!(include_str!("../crypto/mac.rs").contains("ct_eq(&0)"));
    for source in [include_str!("../crypto/aead.rs"), include_str!("../by_id/secrets.rs")] {
        assert!(source.contains("equal(&"));
    }
    for source in [
        include_str!("mod.rs"),
        include_str!("../crypto/aead.rs"),
        include_str!("../crypto/mac.rs"),
        include_str!("../ktor/transform.rs"),
        include_str!("../by_id/secrets.rs"),
    ] {
        for line in source.lines().filter(|line| line.contains("==") || line.contains("!=")) {
            let line = line.to_lowercase().replace("mac.len()", "").replace("tag_len", "");
            assert!(
                !line.contains("tag") && !line.contains("secret") && !line.contains("mac"),
                "{line}"
            );
        }
    }
}
