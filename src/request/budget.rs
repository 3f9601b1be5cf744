//! Counts how long a request may still wait for its storages.

use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;

use rocket::futures::future::poll_immediate;

use super::prefetched::Prefetched;
use crate::deadline::Deadline;

/// The state that all entries of one request share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The response has gone out: no token can reach the client any more.
    pub sent: AtomicBool,
    /// The time spent in loading. Sessions with the same timeout share it.
    pub loading: Budgets,
    pub prefetched: Prefetched,
}

/// The time spent so far for each timeout. Most requests have one timeout.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<(Option<Spent>, Vec<Spent>)>);

struct Spent {
    of: Duration,
    time: Duration,
}

impl Budgets {
    /// Returns the deadline that is left of a timeout.
    pub fn deadline(&self, timeout: Duration) -> Deadline {
        let (first, more) = &*self.0.lock();
        let spent = first.iter().chain(more).find(|spent| spent.of == timeout);
        Deadline::after(timeout.saturating_sub(spent.map_or(Duration::ZERO, |spent| spent.time)))
    }

    /// Returns what `work` gives if the timeout leaves enough time for it.
    pub async fn wait<R>(
        &self,
        limit: Duration,
        mut work: Pin<&mut (impl Future<Output = R> + Send)>,
    ) -> Option<R> {
        if let Some(ready) = poll_immediate(work.as_mut()).await {
            return Some(ready);
        }
        // The box keeps the future small for requests whose storage is ready at once.
        Box::pin(async {
            let deadline = self.deadline(limit);
            let result = deadline.within(work).await;
            self.spend(limit, deadline.spent());
            result
        })
        .await
    }

    pub fn spend(&self, timeout: Duration, time: Duration) {
        if time.is_zero() {
            return;
        }
        let (first, more) = &mut *self.0.lock();
        let first = first.get_or_insert(Spent { of: timeout, time: Duration::ZERO });
        match std::iter::once(first).chain(&mut *more).find(|spent| spent.of == timeout) {
            Some(spent) => spent.time += time,
            None => more.push(Spent { of: timeout, time }),
        }
    }
}
