//! A record as bytes, for files and for simple storages. All integers are big-endian, and times
//! are Unix milliseconds.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `rsess-d1` |
//! | 8 | 2 × 28 | two touch slots: sequence, last seen, expires, checksum of these |
//! | 64 | 8 | version |
//! | 72 | 8 | created |
//! | 80 | 1 + 32 | 1 and the owner, or zeros |
//! | 113 | 4 | checksum of the payload |
//! | 117 | 4 | checksum of the key and of the bytes from 64 to here |
//! | 121 | n | payload |
//!
//! The checksums are CRC-32, as in zlib. They find torn and damaged files, and a file under another
//! key. They have no secret, so they do not protect from someone who can write to the storage.
//!
//! A touch overwrites the older slot in place. If a crash tears that slot, the other one is still
//! valid.

use crc32fast::Hasher;

use super::{OwnerKey, Record, StorageError, StorageKey, Timestamp, Version};

const MAGIC: &[u8; 8] = b"rsess-d1";
/// The offset of the first touch slot.
const SLOTS: usize = 8;
const SLOT: usize = 28;
/// The offset of the fields that only a write changes.
const FIELDS: usize = SLOTS + 2 * SLOT;
/// The offset of the checksum of the key and of the fields.
const CHECKSUM: usize = HEADING - 4;

/// The bytes before the payload.
pub(crate) const HEADING: usize = 121;

/// The largest file that is read. No record of this crate is larger.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// What stands before the payload.
pub(crate) struct Heading {
    pub version: Version,
    pub owner: Option<OwnerKey>,
    pub created: Timestamp,
    pub last_seen: Timestamp,
    pub expires: Timestamp,
    /// The sequence number of the newest touch slot.
    sequence: u64,
    payload_checksum: u32,
}

/// The bytes of a record.
pub(crate) fn write(key: &StorageKey, record: &Record) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADING + record.payload.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&slot(1, record.last_seen, record.expires));
    file.extend_from_slice(&[0; SLOT]);
    file.extend_from_slice(&record.version.as_u64().to_be_bytes());
    file.extend_from_slice(&record.created.as_millis().to_be_bytes());
    match &record.owner {
        Some(owner) => {
            file.push(1);
            file.extend_from_slice(owner.as_bytes());
        }
        None => file.extend_from_slice(&[0; 33]),
    }
    file.extend_from_slice(&crc32fast::hash(&record.payload).to_be_bytes());
    let checksum = fields_checksum(key, &file[FIELDS..]);
    file.extend_from_slice(&checksum.to_be_bytes());
    file.extend_from_slice(&record.payload);
    file
}

/// Reads a record. Bytes that are torn, foreign or another key's are an error.
pub(crate) fn read(key: &StorageKey, file: &[u8]) -> Result<Record, StorageError> {
    parse(key, file).ok_or(StorageError::Corrupt(TORN))
}

/// Reads what stands before the payload. Damage to the payload goes unnoticed.
pub(crate) fn heading(key: &StorageKey, file: &[u8]) -> Result<Heading, StorageError> {
    parse_heading(key, file).ok_or(StorageError::Corrupt(TORN))
}

/// Why bytes are not a record.
pub(crate) const TORN: &str = "it is torn or foreign";

fn parse(key: &StorageKey, file: &[u8]) -> Option<Record> {
    let heading = parse_heading(key, file)?;
    let payload = file.get(HEADING..)?;
    if heading.payload_checksum != crc32fast::hash(payload) {
        return None;
    }
    let Heading { version, owner, created, last_seen, expires, .. } = heading;
    Some(Record { version, payload: payload.into(), owner, created, last_seen, expires })
}

fn parse_heading(key: &StorageKey, file: &[u8]) -> Option<Heading> {
    let heading: &[u8; HEADING] = file.first_chunk()?;
    let checksum = fields_checksum(key, &heading[FIELDS..CHECKSUM]);
    if !heading.starts_with(MAGIC) || heading[CHECKSUM..] != checksum.to_be_bytes() {
        return None;
    }
    let (sequence, last_seen, expires) = newest_slot(heading)?;
    let owner = match heading[80] {
        0 => None,
        _ => Some(OwnerKey::from_bytes(*heading[81..].first_chunk()?)),
    };
    Some(Heading {
        version: Version::from_u64(number(heading, FIELDS)?),
        owner,
        created: Timestamp::from_millis(number(heading, FIELDS + 8)?),
        last_seen,
        expires,
        sequence,
        payload_checksum: u32::from_be_bytes(*heading[113..].first_chunk()?),
    })
}

impl Heading {
    /// Whether the record is live at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    /// The offset in the file and the bytes that a touch writes there.
    pub fn touch(&self, last_seen: Timestamp, expires: Timestamp) -> (u64, [u8; SLOT]) {
        let sequence = self.sequence.wrapping_add(1);
        // The first slot holds odd sequence numbers.
        let at = if sequence % 2 == 1 { SLOTS } else { SLOTS + SLOT };
        (at as u64, slot(sequence, last_seen, expires))
    }
}

fn slot(sequence: u64, last_seen: Timestamp, expires: Timestamp) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    for (i, number) in
        [sequence, last_seen.as_millis(), expires.as_millis()].into_iter().enumerate()
    {
        slot[i * 8..(i + 1) * 8].copy_from_slice(&number.to_be_bytes());
    }
    let check = crc32fast::hash(&slot[..24]);
    slot[24..].copy_from_slice(&check.to_be_bytes());
    slot
}

fn newest_slot(heading: &[u8; HEADING]) -> Option<(u64, Timestamp, Timestamp)> {
    let slots = heading[SLOTS..FIELDS].chunks_exact(SLOT).filter_map(read_slot);
    slots.max_by_key(|(sequence, ..)| *sequence)
}

fn read_slot(slot: &[u8]) -> Option<(u64, Timestamp, Timestamp)> {
    if slot[24..] != crc32fast::hash(&slot[..24]).to_be_bytes() {
        return None;
    }
    let time = |at| number(slot, at).map(Timestamp::from_millis);
    Some((number(slot, 0)?, time(8)?, time(16)?))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The checksum of the key and of the fields between the touch slots and the checksum itself.
fn fields_checksum(key: &StorageKey, fields: &[u8]) -> u32 {
    let mut checksum = Hasher::new();
    checksum.update(key.as_bytes());
    checksum.update(fields);
    checksum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex;

    fn sample() -> (StorageKey, Record) {
        let record = Record {
            version: Version::from_u64(5),
            payload: b"payload"[..].into(),
            owner: Some(OwnerKey::from_bytes([9; 32])),
            created: Timestamp::from_millis(1),
            last_seen: Timestamp::from_millis(2),
            expires: Timestamp::from_millis(3),
        };
        (StorageKey::from_bytes([7; 32]), record)
    }

    /// The checksums are those of Python's `zlib.crc32`.
    #[test]
    fn the_bytes_are_those_of_the_documented_format() {
        let (key, record) = sample();
        let slot = "0000000000000001000000000000000200000000000000039398785f";
        let fields = ["0000000000000005", "0000000000000001", "01", &"09".repeat(32), "422c6a15"];
        let expected = [
            &hex::encode(MAGIC),
            slot,
            &"00".repeat(SLOT),
            &fields.concat(),
            "e7501af1",
            &hex::encode(b"payload"),
        ];
        assert_eq!(hex::encode(&write(&key, &record)), expected.concat());
    }

    #[test]
    fn a_record_round_trips_and_any_damage_is_found() {
        let (key, record) = sample();
        let file = write(&key, &record);
        assert_eq!(read(&key, &file).unwrap(), record);
        assert!(read(&StorageKey::from_bytes([8; 32]), &file).is_err(), "another key's file");
        for length in 0..file.len() {
            assert!(read(&key, &file[..length]).is_err(), "cut to {length}");
            assert_eq!(heading(&key, &file[..length]).is_ok(), length >= HEADING);
        }
        for byte in 0..file.len() {
            let mut damaged = file.clone();
            damaged[byte] ^= 1;
            // The second slot is not in use, so damage to it has no effect.
            let unused = (SLOTS + SLOT..FIELDS).contains(&byte);
            assert_eq!(read(&key, &damaged).is_ok(), unused, "byte {byte}");
            let noticed = heading(&key, &damaged).is_err();
            assert_eq!(noticed, !unused && byte < HEADING, "byte {byte}");
        }
    }

    #[test]
    fn a_torn_touch_leaves_the_times_before_it() {
        let (key, record) = sample();
        let mut file = write(&key, &record);
        for n in 10..14 {
            let before = read(&key, &file).unwrap();
            let (at, slot) = heading(&key, &file)
                .unwrap()
                .touch(Timestamp::from_millis(n), Timestamp::from_millis(n + 100));
            let at = usize::try_from(at).unwrap();
            let mut torn = file.clone();
            torn[at..at + 20].copy_from_slice(&slot[..20]);
            assert_eq!(read(&key, &torn).unwrap(), before);
            file[at..at + SLOT].copy_from_slice(&slot);
            let after = read(&key, &file).unwrap();
            assert_eq!(
                (after.version, after.last_seen),
                (Version::from_u64(5), Timestamp::from_millis(n))
            );
        }
    }
}
