//! Records: what is written reads back, and nothing else is accepted.

use super::super::trail::Past;
use super::*;
use crate::crypto::hex;
use crate::storage::Version;

fn id(seed: u8) -> SessionId {
    SessionId::from_bytes(&[seed; 32])
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn key(seed: u8) -> StorageKey {
    StorageKey::from_bytes([seed; 32])
}

const GRACE: Duration = Duration::from_millis(30);

/// Envelopes that differ in every field, with and without every optional one.
fn envelopes() -> Vec<Envelope> {
    let states = [RecordState::Session, RecordState::Replaced(key(1)), RecordState::Claim(key(2))];
    let mut all = Vec::new();
    for has in 0..32_u8 {
        for state in &states {
            let has = |bit: u8| has >> bit & 1 == 1;
            let count = 1 + all.len() % 16;
            let before = |n| Previous { hash: [n; 32], until: time(u64::from(n) + 5) };
            let previous = has(0).then(|| (0..16).take(count).map(before).collect());
            all.push(Envelope {
                secrets: Secrets {
                    current: [3; 32],
                    previous,
                    renewal: has(1).then_some([6; 16]),
                    renewed: time(7),
                    rotations: 8,
                },
                authenticated: time(9),
                lifetime: OwnLifetime::Idle(10),
                trail: Trail((0..all.len() % 17).map(|n| past(n as u64)).collect()),
                provenance: Provenance {
                    owner_generation: has(2).then_some(11),
                    ancestor: has(3).then(|| key(12)),
                },
                state: state.clone(),
                client: if has(4) { b"somebody".to_vec() } else { Vec::new() },
            });
        }
    }
    all
}

fn past(n: u64) -> Past {
    Past { version: Version::from_u64(n << 40 | 1), until: time(n + 1000) }
}

#[test]
fn an_envelope_round_trips_and_s41_no_other_sessions_record_reads() {
    for envelope in envelopes() {
        let payload = envelope.wrap("cart", b"value");
        let (read, start) = Envelope::unwrap(&payload, "cart").unwrap();
        assert_eq!(read, envelope);
        assert_eq!(&payload[start..], b"value");
        for name in ["user", "car", "carts", ""] {
            assert!(Envelope::unwrap(&payload, name).is_none());
        }
        for length in 0..start {
            assert!(Envelope::unwrap(&payload[..length], "cart").is_none(), "cut to {length}");
        }
    }
}

#[test]
fn what_is_absent_takes_no_byte() {
    let bare = Envelope::default().wrap("cart", b"");
    assert_eq!(bare.len(), 4 + 2 + 4 + 32 + 8 + 4 + 8 + 8 + 1);
}

#[test]
fn another_version_unknown_flags_and_wrong_counts_are_no_record() {
    let payload = Envelope::default().wrap("cart", &[0; 600]).to_vec();
    let trail = payload.len() - 601;
    let changed = |at: usize, byte: u8| {
        let mut changed = payload.clone();
        changed[at] = byte;
        Envelope::unwrap(&changed, "cart").is_some()
    };
    assert!(changed(0, 2));
    for version in [0, 1, 3, 255] {
        assert!(!changed(0, version), "version {version}");
    }
    // The length of the envelope does not fit a flag whose field is missing.
    for flags in 1..=255 {
        assert!(!changed(3, flags), "flags {flags:02x}");
    }
    for count in 1..=255 {
        assert!(!changed(trail, count), "a trail of {count}");
    }
    // The trail has one version too many, in an envelope of the right length.
    let mut long = payload.clone();
    long[trail] = 17;
    long[1..3].copy_from_slice(&u16::try_from(trail + 1 + 17 * 16).unwrap().to_be_bytes());
    assert!(Envelope::unwrap(&long, "cart").is_none());
    for length in (0..=255).filter(|length| *length != payload[2]) {
        assert!(!changed(2, length), "an envelope of {length} bytes");
    }
    assert!(!changed(1, 1));
}

#[test]
fn a_flipped_bit_never_panics_and_changes_at_most_the_field_that_it_is_in() {
    for envelope in envelopes() {
        let payload = envelope.wrap("cart", b"value").to_vec();
        let (_, start) = Envelope::unwrap(&payload, "cart").unwrap();
        for bit in 0..payload.len() * 8 {
            let mut flipped = payload.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Some((read, begins)) = Envelope::unwrap(&flipped, "cart") else { continue };
            // The other fields determine the version, the length, the flags and the name.
            assert!(bit / 8 >= 10 || flipped[3] ^ payload[3] == REPLACED | CLAIM, "bit {bit}");
            assert_eq!(begins, start);
            assert_eq!(read != envelope, bit / 8 < start, "bit {bit}");
        }
    }
}

#[test]
fn a_renewal_at_once_leaves_the_secret_before_nothing() {
    let first = Secrets::new(&id(1));
    assert_eq!((first.admit(&id(1)), first.admit(&id(2))), (Some(Admitted::Current), None));
    let renewed = first.with_new(&id(2), time(5), 1);
    assert_eq!(renewed.admit(&id(2)), Some(Admitted::Current));
    assert_eq!(renewed.admit(&id(1)), Some(Admitted::Previous(time(5))));
    let again = renewed.with_new(&id(3), time(6), 2);
    assert_eq!(again.admit(&id(2)), Some(Admitted::Previous(time(6))));
    assert_eq!(again.admit(&id(1)), Some(Admitted::Former(time(5))));
    assert_eq!((again.admit(&id(4)), again.rotations), (None, 2));
}

/// The previous secrets, newest first, as [`admit`](Secrets::admit) returns them.
fn former(secrets: &Secrets, seeds: impl IntoIterator<Item = u8>) -> Vec<Option<Admitted>> {
    seeds.into_iter().map(|seed| secrets.admit(&id(seed))).collect()
}

#[test]
fn d22_a_secret_is_kept_until_two_minutes_after_it_opened_the_session_last() {
    let mark = u64::try_from(MARK.as_millis()).unwrap();
    let first = Secrets::new(&id(1)).with_new(&id(2), time(5), 1);
    for (now, kept) in [(5 + mark - 1, Some(Admitted::Former(time(5)))), (5 + mark, None)] {
        let second = first.with_new(&id(3), time(now), 2);
        assert_eq!(second.admit(&id(1)), kept);
        assert_eq!(second.admit(&id(2)), Some(Admitted::Previous(time(now))));
        let second = first.renewing(&id(2), &id(3), time(now));
        assert_eq!(second.admit(&id(1)), kept);
        // Only a renewal drops a secret.
        assert_eq!(second.completing(time(now + 9 * mark), GRACE).admit(&id(1)), kept);
    }
}

#[test]
fn d22_the_newest_secret_before_opens_the_session_until_the_next_renewal_at_most() {
    let (old, next) = (id(1), id(1).with_secret([9; 16]));
    let open = Secrets::new(&old).renewing(&old, &next, time(5));
    let late = 9 * u64::try_from(MARK.as_millis()).unwrap();
    let renewed = open.with_new(&id(3), time(late), 1);
    // While the renewal was open, the secret opened the session.
    assert_eq!(renewed.admit(&old), Some(Admitted::Former(time(late))));
    assert_eq!(renewed.admit(&next), Some(Admitted::Previous(time(late))));
    let done = open.completing(time(8), GRACE);
    for (now, until) in [(20, 20), (38, 38), (50, 38)] {
        let renewed = done.with_new(&id(3), time(now), 1);
        assert_eq!(renewed.admit(&old), Some(Admitted::Former(time(until))));
        let again = done.renewing(&next, &id(3), time(now));
        assert_eq!(again.admit(&old), Some(Admitted::Former(time(until))));
        assert_eq!(
            again.admit(&next),
            Some(Admitted::BeforeRenewal(next.with_secret(id(3).secret())))
        );
        // Completing the renewal gives the grace period to the newest secret only.
        let completed = again.completing(time(60), GRACE);
        assert_eq!(completed.admit(&old), Some(Admitted::Former(time(until))));
        assert_eq!(completed.admit(&next), Some(Admitted::Previous(time(90))));
    }
}

#[test]
fn no_more_than_sixteen_secrets_before_are_kept_and_the_oldest_goes_first() {
    let mut secrets = Secrets::new(&id(0));
    for seed in 1..=40 {
        secrets = secrets.with_new(&id(seed), time(5), 1);
        let payload =
            Envelope { secrets: secrets.clone(), ..Envelope::default() }.wrap("cart", b"");
        let (read, _) = Envelope::unwrap(&payload, "cart").unwrap();
        assert_eq!(read.secrets, secrets);
    }
    assert_eq!(former(&secrets, 0..24), vec![None; 24]);
    assert_eq!(former(&secrets, 24..39), vec![Some(Admitted::Former(time(5))); 15]);
    assert_eq!(
        former(&secrets, 39..41),
        [Some(Admitted::Previous(time(5))), Some(Admitted::Current)]
    );
}

#[test]
fn a_list_of_no_secrets_before_and_one_of_too_many_are_no_record() {
    let bare = Envelope::default().wrap("cart", b"").to_vec();
    for count in 0..=255_u8 {
        let mut payload = [&bare[..], &[count], &[7; 40].repeat(count.into())].concat();
        let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
        payload[1..4].copy_from_slice(&[high, low, PREVIOUS]);
        let read = Envelope::unwrap(&payload, "cart");
        let read = read.map(|(read, _)| read.secrets.previous().len());
        assert_eq!(read, (1..=16).contains(&count).then_some(count.into()));
    }
}

#[test]
fn d22_who_shows_the_secret_before_is_given_the_next_until_that_is_shown() {
    let (old, next) = (id(1), id(1).with_secret([9; 16]));
    let first = Secrets { rotations: 3, ..Secrets::new(&old) };
    let open = first.renewing(&old, &next, time(5));
    assert!(open.is_open() && !first.is_open());
    assert_eq!(open.admit(&next), Some(Admitted::Current));
    assert_eq!(open.admit(&old), Some(Admitted::BeforeRenewal(next.clone())));
    assert_eq!((open.admit(&id(2)), open.rotations), (None, 3));
    // Neither the record alone nor the old id alone reveals the next secret.
    let masked = open.renewal.unwrap();
    assert!(masked != next.secret() && masked != old.secret());
    let other = id(2).with_secret(old.secret());
    assert_ne!(mask(&other, masked), next.secret(), "the locator is in the mask");
    let done = open.completing(time(8), GRACE);
    assert_eq!(done.admit(&next), Some(Admitted::Current));
    assert_eq!(done.admit(&old), Some(Admitted::Previous(time(38))));
    assert!(!done.is_open() && done.renewed == time(8));
}

#[test]
fn d22_a_secret_is_masked_as_an_independent_implementation_does_it() {
    #[derive(serde::Deserialize)]
    struct Vectors {
        masks: Vec<std::collections::HashMap<String, String>>,
    }
    let Vectors { masks } =
        serde_json::from_str(include_str!("../../../tests/vectors/native.json")).unwrap();
    assert_eq!(masks.len(), 3);
    for vector in masks {
        let bytes = |name: &str| hex::decode(&vector[name]).unwrap();
        let before = SessionId::from_bytes(bytes("id")[..].try_into().unwrap());
        let next: [u8; 16] = bytes("next")[..].try_into().unwrap();
        assert_eq!(mask(&before, next), bytes("masked")[..]);
    }
}

/// The records of `tests/vectors/native.json`.
#[derive(serde::Deserialize)]
struct Vectors {
    records: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    session: String,
    current: String,
    renewed: u64,
    csrf_generation: u32,
    authenticated: u64,
    lifetime: [u64; 2],
    trail: Vec<[u64; 2]>,
    previous: Option<Vec<(String, u64)>>,
    renewal: Option<String>,
    owner_generation: Option<u64>,
    ancestor: Option<String>,
    replaced: Option<String>,
    claim: Option<String>,
    client: Option<String>,
    value: String,
    record: String,
}

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

impl Vector {
    fn envelope(&self) -> Envelope {
        let key = |text: &String| StorageKey::from_hex(text).unwrap();
        let [kind, value] = self.lifetime;
        let state = match (&self.replaced, &self.claim) {
            (Some(successor), _) => RecordState::Replaced(key(successor)),
            (_, Some(session)) => RecordState::Claim(key(session)),
            _ => RecordState::Session,
        };
        let before =
            |(hash, until): &(String, u64)| Previous { hash: unhex(hash), until: time(*until) };
        let past = |[version, until]: &[u64; 2]| Past {
            version: Version::from_u64(*version),
            until: time(*until),
        };
        Envelope {
            secrets: Secrets {
                current: unhex(&self.current),
                previous: self.previous.as_ref().map(|all| all.iter().map(before).collect()),
                renewal: self.renewal.as_deref().map(unhex),
                renewed: time(self.renewed),
                rotations: self.csrf_generation,
            },
            authenticated: time(self.authenticated),
            lifetime: OwnLifetime::from_bytes((kind << 56 | value).to_be_bytes()).unwrap(),
            trail: Trail(self.trail.iter().map(past).collect()),
            provenance: Provenance {
                owner_generation: self.owner_generation,
                ancestor: self.ancestor.as_ref().map(key),
            },
            state,
            client: self.client.clone().unwrap_or_default().into_bytes(),
        }
    }
}

#[test]
fn records_of_an_independent_implementation_read_and_are_written_byte_for_byte() {
    let Vectors { records } =
        serde_json::from_str(include_str!("../../../tests/vectors/native.json")).unwrap();
    assert!(records.len() > 8);
    for vector in records {
        let (record, value) = (hex::decode(&vector.record), hex::decode(&vector.value));
        let (record, value) = (record.unwrap(), value.unwrap());
        let envelope = vector.envelope();
        assert_eq!(*envelope.wrap(&vector.session, &value), *record);
        let (read, start) = Envelope::unwrap(&record, &vector.session).unwrap();
        assert_eq!((read, &record[start..]), (envelope, &*value));
    }
}
