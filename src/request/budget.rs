//! How long a request may wait for its storages, and whether it still can.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;

/// What the entries of one request share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The response is on its way: no token can reach the client any more.
    pub sent: AtomicBool,
    /// Time spent in loading. Sessions with one and the same timeout share it.
    pub loading: Budgets,
}

/// Time spent so far, for each timeout. Most requests have one.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<(Option<Spent>, Vec<Spent>)>);

struct Spent {
    of: Duration,
    time: Duration,
}

impl Budgets {
    /// What is left of a timeout.
    pub fn remaining(&self, timeout: Duration) -> Duration {
        let (first, more) = &*self.0.lock();
        let spent = first.iter().chain(more).find(|spent| spent.of == timeout);
        timeout.saturating_sub(spent.map_or(Duration::ZERO, |spent| spent.time))
    }

    pub fn spend(&self, timeout: Duration, time: Duration) {
        let (first, more) = &mut *self.0.lock();
        let first = first.get_or_insert(Spent { of: timeout, time: Duration::ZERO });
        match std::iter::once(first).chain(&mut *more).find(|spent| spent.of == timeout) {
            Some(spent) => spent.time += time,
            None => more.push(Spent { of: timeout, time }),
        }
    }
}
