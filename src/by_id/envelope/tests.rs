//! Records: what is written reads back, and nothing else is accepted.

use super::super::trail::Past;
use super::*;
use crate::crypto::hex;
use crate::storage::Version;

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn key(seed: u8) -> StorageKey {
    StorageKey::from_bytes([seed; 32])
}

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
    let payload = Envelope::default().wrap("cart", &[0; 600]);
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
        let payload = envelope.wrap("cart", b"value");
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
fn a_list_of_no_secrets_before_and_one_of_too_many_are_no_record() {
    let bare = Envelope::default().wrap("cart", b"");
    for count in 0..=255_u8 {
        let mut payload = [&bare[..], &[count], &[7; 40].repeat(count.into())].concat();
        let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
        payload[1..4].copy_from_slice(&[high, low, PREVIOUS]);
        let read = Envelope::unwrap(&payload, "cart");
        let read = read.map(|(read, _)| read.secrets.previous().len());
        assert_eq!(read, (1..=16).contains(&count).then_some(count.into()));
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
