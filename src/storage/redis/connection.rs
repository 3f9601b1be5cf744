//! A link to Redis that is replaced when it breaks or when no answer comes any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use rocket::futures::FutureExt;
use rocket::futures::future::{BoxFuture, Shared};
use tokio::time::timeout;

use super::target::{Link, Target, silent};

/// A link that has been silent for longer is replaced. A broken link reports an error. A link
/// whose other end has vanished, by a firewall or a power cut, reports nothing for a quarter of
/// an hour.
const SILENCE: Duration = Duration::from_secs(1);
/// How long opening a link may take, including all attempts.
pub(super) const OPENING: Duration = Duration::from_secs(5);

/// The link that all requests of a process share. A clone shares it as well.
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
    /// When the first of the requests was sent that have no answer yet.
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

    /// The link. The first caller opens it, and all others wait for it.
    async fn live(&self) -> RedisResult<Arc<Live>> {
        let opening = match &mut *self.0.state.lock() {
            ConnectionState::Open(live) => return Ok(Arc::clone(live)),
            ConnectionState::Opening(opening) => opening.clone(),
            state @ ConnectionState::Closed => {
                // A task opens the link, so that it goes on if the first caller stops waiting.
                let opened = rocket::tokio::spawn(self.clone().open());
                let opened = opened.map(|opened| {
                    opened.unwrap_or_else(|_| Err(silent("opening a connection was interrupted")))
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
        let opened = opened.unwrap_or_else(|_| Err(silent("no connection within five seconds")));
        let live = Arc::new(Live { link: opened?, waiting: Mutex::default() });
        opening.becomes = ConnectionState::Open(Arc::clone(&live));
        Ok(live)
    }

    /// Closes the link, so that the next request opens another one.
    fn give_up(&self, live: &Arc<Live>) {
        let mut state = self.0.state.lock();
        if matches!(&*state, ConnectionState::Open(present) if Arc::ptr_eq(present, live)) {
            *state = ConnectionState::Closed;
        }
    }

    /// Waits for an answer and decides by it whether to keep the link.
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
        // Other kinds of links reconnect by themselves. A server that refuses writes was the
        // master before, and its name may lead to the new master now.
        if matches!(live.link, Link::One(_)) && (failed || code == Some("READONLY")) {
            self.give_up(live);
        }
        answer
    }
}

/// The opening of a link. When it is dropped, its result becomes the connection's state.
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

/// A request that may be dropped before it is answered.
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
        // Each link selects the database when it connects.
        0
    }
}
