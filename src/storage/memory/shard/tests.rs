//! Compares a shard with a plain model, and checks what the walk finds out.

use super::super::outline::longest_waiting;
use super::*;
use crate::storage::Version;

fn key(n: u64) -> StorageKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    StorageKey::from_bytes(bytes)
}

/// A record of the model: its key, its expiry, when it began, and whether its client has come
/// back.
struct Model(u64, u64, u64, bool);

fn record(created: u64, expires: u64) -> Record {
    let [created, expires] = [created, expires].map(Timestamp::from_millis);
    let version = Version::from_u64(0);
    Record { version, payload: [].into(), owner: None, created, last_seen: created, expires }
}

fn write(shard: &mut Shard, n: u64, mut record: Record) {
    let place = shard.place(&key(n)).unwrap();
    shard.exchange(place, &mut record);
}

fn take_expired(shard: &mut Shard, now: Timestamp, steps: usize) -> (Option<StorageKey>, usize) {
    let found = shard.find_expired(now, steps);
    found.0.as_ref().map(|key| shard.remove(key));
    found
}

/// Compares a shard with a plain list over many random steps.
#[test]
fn the_table_the_queue_and_the_outline_agree_with_a_plain_model() {
    let outlines: Arc<[Outline]> = [Outline::default(), Outline::default()].into();
    let mut shard = Shard::new(&outlines, 1);
    let mut model: Vec<Model> = Vec::new();
    let (mut random, mut walked) = (1_u64, 0);
    for step in 0..50_000_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (n, what) = (random >> 33 & 0xff, random >> 60);
        let now = Timestamp::from_millis(step);
        let expires = step + (random >> 20 & 0x3ff);
        let known = model.iter().position(|Model(key, ..)| *key == n);
        match (what, known) {
            (0..=5, None) => {
                shard.insert(&key(n), record(step, expires));
                model.push(Model(n, expires, step, false));
            }
            (6, Some(at)) => {
                write(&mut shard, n, record(step, expires));
                (model[at].1, model[at].2) = (expires, step);
            }
            (7..=9, known) => {
                let live = known.filter(|at| step < model[*at].1);
                assert_eq!(shard.present(&key(n), now).is_some(), live.is_some());
                if let Some(at) = live {
                    model[at].3 = true;
                }
            }
            (10..=11, known) => {
                assert_eq!(shard.remove(&key(n)).is_some(), known.is_some());
                if let Some(at) = known {
                    model.remove(at);
                }
            }
            (12, _) if n < 8 => {
                let longest = model.iter().position(|Model(.., back)| !back);
                let taken = shard.longest_waiting().map(|slot| slot.key.clone());
                taken.as_ref().map(|key| shard.remove(key));
                assert_eq!(taken, longest.map(|at| key(model.remove(at).0)));
            }
            (13.., _) => {
                if let Some(expired) = take_expired(&mut shard, now, 16).0 {
                    walked += 1;
                    let at = model.iter().position(|Model(n, ..)| key(*n) == expired);
                    assert!(model.remove(at.unwrap()).1 <= step, "a living record was found");
                }
            }
            _ => {}
        }
        let since = model.iter().find(|Model(.., back)| !back).map(|Model(.., since, _)| since);
        assert_eq!(outlines[1].waiting(), since.copied());
        let first = model.iter().map(|Model(_, expires, ..)| *expires).min();
        assert!(first.is_none_or(|first| first > step || shard.is_due(now)), "it is overlooked");
        assert_eq!(shard.places.len(), model.len());
    }
    assert!(walked > 1000, "{walked} expired records were met");
    assert_eq!(outlines[0].waiting(), None, "another shard's outline was written");
    let slots = shard.slots();
    assert!(slots <= 256 + 64, "freed slots are used again: {slots}");
    let late = Timestamp::from_millis(u64::MAX - 1);
    while shard.is_due(late) {
        take_expired(&mut shard, late, slots);
    }
    assert!(shard.places.len() == 0 && shard.oldest.is_none() && shard.youngest.is_none());
    assert_eq!(longest_waiting(&outlines), None);
}

/// After a round without expired records, no walk is made until a record may have expired.
#[test]
fn a_round_learns_when_the_first_record_expires() {
    let outlines: Arc<[Outline]> = [Outline::default()].into();
    let mut shard = Shard::new(&outlines, 0);
    let at = Timestamp::from_millis;
    for n in 0..100 {
        shard.insert(&key(n), record(0, 1000 + n));
    }
    assert!(!shard.is_due(at(999)) && shard.is_due(at(1000)));
    for n in 0..100 {
        shard.present(&key(n), at(999)).unwrap().touch(at(999), at(2000 + n));
    }
    assert!(shard.is_due(at(1500)), "a touch costs no search for the next one");
    assert!(shard.find_expired(at(1500), shard.slots()).0.is_none());
    assert!(!shard.is_due(at(1500)) && shard.is_due(at(2000)), "the round has found it");
    write(&mut shard, 50, record(0, 1600));
    assert!(shard.is_due(at(1600)), "an update may shorten a life");
}
/// A record that is written behind the walk counts in the current round.
#[test]
fn a_round_learns_of_what_is_written_behind_it() {
    let at = Timestamp::from_millis;
    for insert in [true, false] {
        let outlines: Arc<[Outline]> = [Outline::default()].into();
        let mut shard = Shard::new(&outlines, 0);
        for n in 0..100 {
            shard.insert(&key(n), record(0, 1000));
        }
        assert!(shard.find_expired(at(0), 50).0.is_none());
        if insert {
            shard.remove(&key(10));
            shard.insert(&key(200), record(0, 500));
        } else {
            write(&mut shard, 10, record(0, 500));
        }
        while shard.find_expired(at(0), 1).1 == 0 && shard.cursor != 0 {}
        assert!(!shard.is_due(at(499)) && shard.is_due(at(500)), "insert: {insert}");
    }
}
