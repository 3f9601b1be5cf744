//! Bytes of memory a session, by a counting allocator and by what is resident.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use rocket_typed_sessions::storage::OwnerKey;

use crate::candidates::{Candidate, LONG, Native, PAYLOAD, key, now, record};

const RECORDS: u64 = 1_000_000;

/// The bytes that are allocated now.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
/// Whether they are counted. The counter would slow down the threads of the other measurements.
static COUNTING: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with a count of what was asked of it.
pub struct Counting;

// SAFETY: every call goes to the system's allocator with the arguments that it has here.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(0_usize.wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn add(bytes: usize) {
    if COUNTING.load(Ordering::Relaxed) == 1 {
        ALLOCATED.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What `make` has allocated in the end.
fn allocated<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let made = make();
    (made, ALLOCATED.load(Ordering::Relaxed) - before)
}

/// Bytes a session of `Memory` beyond what its payload allocates: without owners, with an owner
/// for each session, and with an owner for ten sessions.
pub fn counted() -> String {
    COUNTING.store(1, Ordering::Relaxed);
    let (_payload, payload) = allocated(|| record(LONG).payload);
    let owner = |n: u64| OwnerKey::from_bytes(key(u64::MAX - n));
    let owners: [&dyn Fn(u64) -> Option<OwnerKey>; 3] =
        [&|_| None, &|n| Some(owner(n)), &|n| Some(owner(n / 10))];
    let counts = owners.map(|owner_of| {
        let ((), all) = allocated(|| {
            let storage = Native::new(2_000_000);
            for n in 0..RECORDS {
                assert!(storage.try_create(n, now() + LONG, owner_of(n)));
            }
            std::mem::forget(storage);
        });
        (all / RECORDS as usize - payload).to_string()
    });
    counts.join(" ")
}

/// Resident bytes a session beyond the bytes of its payload.
pub fn resident(candidate: &dyn Candidate) -> u64 {
    let before = resident_now();
    for n in 0..RECORDS {
        candidate.create(n, now() + LONG);
    }
    candidate.settle();
    assert!(candidate.read(RECORDS / 2, now()));
    (resident_now() - before) / RECORDS - PAYLOAD as u64
}

fn resident_now() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}
