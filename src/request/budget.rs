//! Counts how long a request may still wait for its storages.

use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::futures::future::poll_immediate;
use tokio::time::Instant;

use crate::deadline::within;

/// The state that all entries of one request share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The response has gone out: no token can reach the client any more.
    pub sent: AtomicBool,
    /// The time spent in loading. Sessions with the same timeout share it.
    pub loading: Budgets,
}

/// The time spent so far for each timeout. Most requests have one timeout.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<(Option<Spent>, Vec<Spent>)>);

struct Spent {
    of: Duration,
    time: Duration,
}

impl Budgets {
    /// Returns what is left of a timeout.
    pub fn remaining(&self, timeout: Duration) -> Duration {
        let (first, more) = &*self.0.lock();
        let spent = first.iter().chain(more).find(|spent| spent.of == timeout);
        timeout.saturating_sub(spent.map_or(Duration::ZERO, |spent| spent.time))
    }

    /// Returns what `work` gives if the timeout leaves enough time for it. Work that is
    /// ready at once spends nothing and reads no clock.
    pub async fn wait<R>(
        &self,
        limit: Duration,
        mut work: Pin<&mut (impl Future<Output = R> + Send)>,
    ) -> Option<R> {
        if let Some(ready) = poll_immediate(work.as_mut()).await {
            return Some(ready);
        }
        let started = Instant::now();
        let result = within(started + self.remaining(limit), work).await;
        self.spend(limit, started.elapsed());
        result
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
