//! A record as bytes, for files and for simple storages. All integers are big-endian, and times
//! are Unix milliseconds.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `rsess-d1` |
//! | 8 | 2 × 56 | two touch slots: sequence, last seen, expires, SHA-256 of key and these |
//! | 120 | 32 | SHA-256 of the key and of everything after this field |
//! | 152 | 8 | version |
//! | 160 | 8 | created |
//! | 168 | 1 + 32 | 1 and the owner, or zeros |
//! | 201 | n | payload |
//!
//! A touch overwrites the older slot in place. If a crash tears that slot, the other one is still
//! valid.

use sha2::{Digest, Sha256};

use super::{OwnerKey, Record, StorageError, StorageKey, Timestamp, Version};

const MAGIC: &[u8; 8] = b"rsess-d1";
const SLOT: usize = 56;
const HEADER: usize = 201;
const CHECKSUM: usize = 120;
const CHECKED: usize = 152;

/// The first bytes of a file, which suffice to read when it expires.
pub(crate) const EXPIRY_HEADER: usize = CHECKSUM;

/// The largest file that is read. No record of this crate is larger.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// A record and the sequence number of its newest touch slot.
pub(crate) struct StoredRecord {
    pub record: Record,
    sequence: u64,
}

/// The bytes of a record.
pub(crate) fn write(key: &StorageKey, record: &Record) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER + record.payload.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&slot(key, 1, record.last_seen, record.expires));
    file.extend_from_slice(&[0; SLOT]);
    file.extend_from_slice(&[0; 32]);
    file.extend_from_slice(&record.version.as_u64().to_be_bytes());
    file.extend_from_slice(&record.created.as_millis().to_be_bytes());
    match &record.owner {
        Some(owner) => {
            file.push(1);
            file.extend_from_slice(owner.as_bytes());
        }
        None => file.extend_from_slice(&[0; 33]),
    }
    file.extend_from_slice(&record.payload);
    let checksum = checksum(key, &file[CHECKED..]);
    file[CHECKSUM..CHECKED].copy_from_slice(&checksum);
    file
}

/// The expiry of a record, read from the beginning of its bytes.
pub(crate) fn expires(key: &StorageKey, start: &[u8]) -> Option<Timestamp> {
    let start = start.get(..EXPIRY_HEADER).filter(|start| start.starts_with(MAGIC))?;
    newest_slot(key, start).map(|(_, _, expires)| expires)
}

/// Reads a record. Bytes that are torn, foreign or another key's are an error.
pub(crate) fn read(key: &StorageKey, file: &[u8]) -> Result<StoredRecord, StorageError> {
    parse(key, file).ok_or(StorageError::Corrupt("it is torn or foreign"))
}

fn parse(key: &StorageKey, file: &[u8]) -> Option<StoredRecord> {
    if file.len() < HEADER
        || !file.starts_with(MAGIC)
        || file[CHECKSUM..CHECKED] != checksum(key, &file[CHECKED..])
    {
        return None;
    }
    let (sequence, last_seen, expires) = newest_slot(key, file)?;
    let owner = match file[168] {
        0 => None,
        _ => Some(OwnerKey::from_bytes(*file[169..].first_chunk()?)),
    };
    let record = Record {
        version: Version::from_u64(number(file, 152)?),
        payload: file[HEADER..].into(),
        owner,
        created: Timestamp::from_millis(number(file, 160)?),
        last_seen,
        expires,
    };
    Some(StoredRecord { record, sequence })
}

impl StoredRecord {
    /// The offset in the file and the bytes that a touch writes there.
    pub fn touch(
        &self,
        key: &StorageKey,
        last_seen: Timestamp,
        expires: Timestamp,
    ) -> (u64, [u8; SLOT]) {
        let sequence = self.sequence.wrapping_add(1);
        // The first slot holds odd sequence numbers.
        let at = if sequence % 2 == 1 { 8 } else { 8 + SLOT as u64 };
        (at, slot(key, sequence, last_seen, expires))
    }
}

fn slot(key: &StorageKey, sequence: u64, last_seen: Timestamp, expires: Timestamp) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    for (i, number) in
        [sequence, last_seen.as_millis(), expires.as_millis()].into_iter().enumerate()
    {
        slot[i * 8..(i + 1) * 8].copy_from_slice(&number.to_be_bytes());
    }
    let check = checksum(key, &slot[..24]);
    slot[24..].copy_from_slice(&check);
    slot
}

fn newest_slot(key: &StorageKey, file: &[u8]) -> Option<(u64, Timestamp, Timestamp)> {
    let slots = [8, 8 + SLOT].into_iter().filter_map(|at| read_slot(key, &file[at..at + SLOT]));
    slots.max_by_key(|(sequence, ..)| *sequence)
}

fn read_slot(key: &StorageKey, slot: &[u8]) -> Option<(u64, Timestamp, Timestamp)> {
    if slot[24..] != checksum(key, &slot[..24]) {
        return None;
    }
    let time = |at| number(slot, at).map(Timestamp::from_millis);
    Some((number(slot, 0)?, time(8)?, time(16)?))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn checksum(key: &StorageKey, bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(key.as_bytes()).chain_update(bytes).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (StorageKey, Record) {
        let record = Record {
            version: Version::from_u64(5),
            payload: (*b"payload").into(),
            owner: Some(OwnerKey::from_bytes([9; 32])),
            created: Timestamp::from_millis(1),
            last_seen: Timestamp::from_millis(2),
            expires: Timestamp::from_millis(3),
        };
        (StorageKey::from_bytes([7; 32]), record)
    }

    #[test]
    fn a_record_round_trips_and_any_damage_is_found() {
        let (key, record) = sample();
        let file = write(&key, &record);
        assert_eq!(read(&key, &file).unwrap().record, record);
        assert!(read(&StorageKey::from_bytes([8; 32]), &file).is_err(), "another key's file");
        for length in 0..file.len() {
            assert!(read(&key, &file[..length]).is_err(), "cut to {length}");
        }
        for byte in 0..file.len() {
            let mut damaged = file.clone();
            damaged[byte] ^= 1;
            // The second slot is not in use, so damage to it has no effect.
            let unused = (8 + SLOT..8 + 2 * SLOT).contains(&byte);
            assert_eq!(read(&key, &damaged).is_ok(), unused, "byte {byte}");
        }
    }

    #[test]
    fn a_torn_touch_leaves_the_times_before_it() {
        let (key, record) = sample();
        let mut file = write(&key, &record);
        for n in 10..14 {
            let before = read(&key, &file).unwrap();
            let (at, slot) =
                before.touch(&key, Timestamp::from_millis(n), Timestamp::from_millis(n + 100));
            let at = usize::try_from(at).unwrap();
            let mut torn = file.clone();
            torn[at..at + 30].copy_from_slice(&slot[..30]);
            assert_eq!(read(&key, &torn).unwrap().record, before.record);
            file[at..at + SLOT].copy_from_slice(&slot);
            let after = read(&key, &file).unwrap().record;
            assert_eq!(
                (after.version, after.last_seen),
                (Version::from_u64(5), Timestamp::from_millis(n))
            );
        }
    }
}
