//! Whatever value is set, it reads back as it was, after one update and after a
//! hundred, or it is refused with 500 and the old session is whole.

#![allow(clippy::expect_used)]

mod draw;
mod kinds;
#[path = "../shared/mod.rs"]
mod shared;
mod world;

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};

use kinds::Kind;
use parking_lot::Mutex;
use proptest::test_runner::{Config, TestRunner};
use world::{Held, RUNTIME, WORLDS, World};

/// More on demand: `PROPTEST_CASES=5000`.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(8)
}

fn reads_back_or_is_refused<K: Kind>() {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let (case, hundred) = (AtomicUsize::new(0), Mutex::new(HashSet::new()));
    let tried = TestRunner::new(config).run(&K::draw(), |value| {
        let with_disk = case.fetch_add(1, Ordering::Relaxed).is_multiple_of(4);
        let worlds = WORLDS.iter().enumerate().filter(|(_, world)| with_disk || !world.slow);
        for (number, world) in worlds {
            let first = !hundred.lock().contains(&number);
            let updates = if first { world.updates() } else { 1 };
            if RUNTIME.block_on(saved::<K>(world, &value, updates)) {
                hundred.lock().insert(number);
            }
        }
        Ok(())
    });
    if let Err(cause) = tried {
        panic!("{cause}");
    }
}

/// Whether a value was saved. What then holds is checked here.
async fn saved<K: Kind>(world: &World, value: &K::Value, updates: u32) -> bool {
    let mut token = None;
    let before = world.set::<K>(K::plain(), &mut token).await;
    let before = before.then(|| Held::<K> { value: K::plain(), count: 0 });
    let saved = world.set::<K>(value.clone(), &mut token).await;
    let found = world.get::<K>(&mut token).await;
    if !saved {
        assert!(!world.native || !K::fits(value), "{}: {value:?} is refused", world.name);
        assert!(same(&found, &before), "{}: {found:?} in the place of {before:?}", world.name);
        return false;
    }
    let mut expected = Held::<K> { value: value.clone(), count: 0 };
    assert!(same(&found, &Some(expected.clone())), "{}: {found:?} for {expected:?}", world.name);
    for _ in 0..updates {
        world.update::<K>(&mut token).await;
    }
    expected.count = updates;
    let found = world.get::<K>(&mut token).await;
    assert!(same(&found, &Some(expected.clone())), "{}: {found:?} for {expected:?}", world.name);
    true
}

/// Equal, down to the sign of a zero. The order of a hash map is its own.
fn same<T: Debug + PartialEq>(one: &T, other: &T) -> bool {
    let shown = |value| {
        let mut shown = format!("{value:?}").into_bytes();
        shown.sort_unstable();
        shown
    };
    one == other && shown(one) == shown(other)
}
