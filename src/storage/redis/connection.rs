//! A link to Redis that is replaced when it breaks, and when nothing comes back on it any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use rocket::futures::FutureExt;
use rocket::futures::future::{BoxFuture, Shared};
use tokio::time::timeout;

use super::target::{Link, Target, silent};

/// Once nothing has come back for so long, another link is made. A link that
/// breaks says so; one whose other end has vanished (a firewall that forgot it,
/// a machine that lost its power) says nothing for a quarter of an hour.
const SILENCE: Duration = Duration::from_secs(1);
/// How long the making of a link may take, with all its attempts.
pub(super) const OPENING: Duration = Duration::from_secs(5);

/// All requests of a process share one link; so do the clones of this.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    target: Arc<Target>,
    state: Mutex<ConnectionState>,
}

enum ConnectionState {
    Closed,
    Opening(Shared<BoxFuture<'static, RedisResult<Arc<Live>>>>),
    Open(Arc<Live>),
}

struct Live {
    link: Link,
    /// Since when something has been asked and nothing has come back.
    waiting: Mutex<Option<Instant>>,
}

impl Connection {
    pub fn new(target: Target) -> Self {
        Self(Arc::new(Inner {
            target: Arc::new(target),
            state: Mutex::new(ConnectionState::Closed),
        }))
    }

    pub fn target(&self) -> &Arc<Target> {
        &self.0.target
    }

    /// The link, which one makes and all others wait for.
    async fn live(&self) -> RedisResult<Arc<Live>> {
        let opening = match &mut *self.0.state.lock() {
            ConnectionState::Open(live) => return Ok(Arc::clone(live)),
            ConnectionState::Opening(opening) => opening.clone(),
            state @ ConnectionState::Closed => {
                // A task of its own: it goes on if whoever asked first gives up.
                let opened = rocket::tokio::spawn(self.clone().open());
                let opened = opened.map(|opened| {
                    opened.unwrap_or_else(|_| Err(silent("the making of a link broke off")))
                });
                let opening = opened.boxed().shared();
                *state = ConnectionState::Opening(opening.clone());
                opening
            }
        };
        opening.await
    }

    async fn open(self) -> RedisResult<Arc<Live>> {
        let mut opening = Opening { connection: &self, becomes: ConnectionState::Closed };
        let opened = timeout(OPENING, self.0.target.open(None)).await;
        let opened = opened.unwrap_or_else(|_| Err(silent("no link within five seconds")));
        let live = Arc::new(Live { link: opened?, waiting: Mutex::default() });
        opening.becomes = ConnectionState::Open(Arc::clone(&live));
        Ok(live)
    }

    /// Has the next request make another link.
    fn give_up(&self, live: &Arc<Live>) {
        let mut state = self.0.state.lock();
        if matches!(&*state, ConnectionState::Open(present) if Arc::ptr_eq(present, live)) {
            *state = ConnectionState::Closed;
        }
    }

    /// The answer, which also tells what the link is worth.
    async fn judge<T>(
        &self,
        live: &Arc<Live>,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        live.waiting.lock().get_or_insert_with(Instant::now);
        let mut asked = Question { connection: self, live, answered: false };
        let answer = answer.await;
        let code = answer.as_ref().err().and_then(|cause| cause.code());
        let failed = answer.as_ref().is_err_and(RedisError::is_unrecoverable_error);
        if !failed && !answer.as_ref().is_err_and(RedisError::is_io_error) {
            asked.answered = true;
            *live.waiting.lock() = None;
        }
        // The others mend themselves. Who takes no writes was a master once: the name
        // may lead to the next one by now.
        if matches!(live.link, Link::One(_)) && (failed || code == Some("READONLY")) {
            self.give_up(live);
        }
        answer
    }
}

/// The making of a link, whatever becomes of it.
struct Opening<'c> {
    connection: &'c Connection,
    becomes: ConnectionState,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        *self.connection.0.state.lock() =
            std::mem::replace(&mut self.becomes, ConnectionState::Closed);
    }
}

/// A question that may be given up.
struct Question<'c> {
    connection: &'c Connection,
    live: &'c Arc<Live>,
    answered: bool,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        let waiting = *self.live.waiting.lock();
        if !self.answered && waiting.is_some_and(|since| since.elapsed() >= SILENCE) {
            self.connection.give_up(self.live);
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let live = self.live().await?;
            let mut link = live.link.clone();
            self.judge(&live, link.req_packed_command(command)).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let live = self.live().await?;
            let mut link = live.link.clone();
            self.judge(&live, link.req_packed_commands(pipeline, offset, count)).await
        })
    }

    fn get_db(&self) -> i64 {
        // Each link selects it when it begins.
        0
    }
}
