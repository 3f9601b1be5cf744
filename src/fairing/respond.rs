//! The end of a request: commits its sessions, and sends their tokens.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rocket::catcher::Catcher;
use rocket::futures::FutureExt;
use rocket::futures::future::BoxFuture;
use rocket::http::Status;
use rocket::{Request, Response, error};

use super::caching;
use crate::application::Application;
use crate::commit::Holds;
use crate::definition::{Core, Definition};
use crate::error::{EncodeError, SessionError};
use crate::request::committable::Committable;
use crate::request::{Budgets, Entries, RequestSessions, hooks};
use crate::transport::Outgoing;

/// The headers of the handler, which are dropped when its response is replaced. All others
/// stay, because other fairings set them.
const HANDLERS_HEADERS: [&str; 5] =
    ["Location", "ETag", "Last-Modified", "Cache-Control", "Set-Cookie"];
/// The beginnings of further headers of the handler. An upgrade is one of these.
const HANDLERS_PREFIXES: [&str; 2] = ["Content-", "Sec-WebSocket-"];
const RETRY_AFTER_SECONDS: &str = "1";

/// Which of the two response fairings runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The fairing that the application attached. It commits what the application asked for.
    First,
    /// The fairing behind all others. It commits what those have changed and what is due by
    /// itself, limits caching, and closes the sessions for tokens.
    Last,
}

/// Returns the sessions of the request, if it may have any.
fn request_sessions<'r>(request: &'r Request<'_>) -> Option<(&'r Core, &'r RequestSessions)> {
    let application = request.rocket().state::<Arc<Application>>()?;
    let awaited = application.awaited.has(request);
    awaited.then(|| (&application.core, RequestSessions::get(request)))
}

/// Returns the future of a response fairing. If there is nothing to wait for, its size is
/// zero, so that nothing is allocated.
pub(super) fn respond<'f, 'r: 'f>(
    request: &'r Request<'_>,
    response: &'f mut Response<'r>,
    turn: Turn,
) -> BoxFuture<'f, ()> {
    match request_sessions(request) {
        Some((core, sessions)) if !at_once(sessions, request, response, turn) => {
            Box::pin(commit(core, sessions, request, response, turn))
        }
        _ => Box::pin(Nothing),
    }
}

/// A future that is ready at once.
struct Nothing;

impl Future for Nothing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// Does the work if it needs no waiting. Returns whether everything is done.
fn at_once(
    sessions: &RequestSessions,
    request: &Request<'_>,
    response: &mut Response<'_>,
    turn: Turn,
) -> bool {
    if hides_failure(sessions, response) {
        return false;
    }
    let unknown = |entry: &Arc<dyn Committable>| entry.is_unknown();
    if turn == Turn::First {
        // The rest is left to the last turn.
        let entries = sessions.entries.lock();
        return !entries.iter().any(|entry| unknown(entry) || entry.is_asked());
    }
    let Some((entries, caching)) = sessions.close_if_quiet(is_failed(response)) else {
        return false;
    };
    for entry in entries.iter() {
        hooks::tell(request, response, entry.definition(), None);
    }
    caching::limit(response, &entries, caching);
    true
}

/// Commits the request's sessions in the order of their first use, and puts
/// their tokens on the response.
async fn commit<'r>(
    core: &Core,
    sessions: &RequestSessions,
    request: &'r Request<'_>,
    response: &mut Response<'r>,
    turn: Turn,
) {
    let entries = &*sessions.entries;
    let hidden = hides_failure(sessions, response);
    if hidden {
        let (before, instead) = (response.status(), Status::ServiceUnavailable);
        error!(
            "A guard could not read its session, which the response {before} would hide; it becomes {instead}."
        );
        replace(request, response, instead).await;
    }
    for entry in entries.all().filter(|entry| entry.is_asked()) {
        entry.ask_identity(request);
    }
    let saved = save(entries, request, response).await;
    if turn == Turn::Last {
        sessions.close().await;
    }
    let unavailable = response.status() == Status::ServiceUnavailable;
    if unavailable && entries.all().any(|entry| entry.is_unknown()) {
        response.set_raw_header("Retry-After", RETRY_AFTER_SECONDS);
    }
    if hidden || !saved {
        // The response was replaced. The tokens of the one before it must still be sent.
        say_again(core, response, entries);
    }
    let told = tell(core, request, response, entries, saved).await;
    // A failure concerns only this request, so no cache may keep it.
    if !saved || !told {
        caching::no_store(response);
    }
    if turn == Turn::Last {
        limit_caching(response, &entries.lock());
    }
}

fn limit_caching(response: &mut Response<'_>, entries: &[Arc<dyn Committable>]) {
    let strictest = entries.iter().map(|entry| entry.caching()).max();
    caching::limit(response, entries, strictest.unwrap_or_default());
}

/// Saves the sessions, and returns whether it succeeded. After a failure the response
/// becomes an error, so that a failed save never looks like success.
async fn save<'r>(
    entries: &Entries,
    request: &'r Request<'_>,
    response: &mut Response<'r>,
) -> bool {
    let saved = AssertUnwindSafe(save_all(entries, is_failed(response))).catch_unwind().await;
    let panicked = |_| Err(SessionError::Encode(EncodeError::new("user code panicked")));
    let Err(cause) = saved.unwrap_or_else(panicked) else { return true };
    error!("The request's sessions could not be saved: {cause}.");
    entries.all().for_each(|entry| entry.give_up(false));
    // The catcher may use sessions too, so their ends are committed after it.
    replace(request, response, cause.status()).await;
    if AssertUnwindSafe(end_all(entries)).catch_unwind().await.is_err() {
        error!("User code panicked while sessions were ended.");
    }
    false
}

/// Whether a guard failed because the storage did not answer, but the response does not
/// say so. The response may then be that for a visitor without a session.
fn hides_failure(sessions: &RequestSessions, response: &Response<'_>) -> bool {
    sessions.is_unanswered() && response.status().code < 500
}

fn is_failed(response: &Response<'_>) -> bool {
    response.status().class().is_server_error()
}

/// Commits the sessions. All are encoded and checked before the first is written.
async fn save_all(entries: &Entries, failed: bool) -> Result<(), SessionError> {
    for entry in entries.all() {
        entry.prepare(failed)?;
    }
    let budget = Budgets::default();
    let due = |entry: &Arc<dyn Committable>| entry.if_quiet(failed).is_none() && !entry.is_closed();
    for entry in entries.all().filter(due) {
        entry.commit(failed, &budget).await?;
    }
    Ok(())
}

/// Commits only the ends of sessions, after a save that failed.
async fn end_all(entries: &Entries) {
    let budget = Budgets::default();
    for entry in entries.all() {
        let ended = entry.prepare(true);
        if entry.if_quiet(true).is_some() {
            continue;
        }
        if let Err(cause) = ended.and(entry.commit(true, &budget).await) {
            error!(
                "A session could not be ended, or its last write could not be settled: {cause}."
            );
            entry.give_up(true);
        }
    }
}

/// Puts tokens and removals on the response. If a transport panics, the response is 500,
/// and the tokens of the other sessions are still sent. Returns whether none panicked.
async fn tell<'r>(
    core: &Core,
    request: &'r Request<'_>,
    response: &mut Response<'r>,
    entries: &Entries,
    succeeded: bool,
) -> bool {
    let mut panicked = false;
    for entry in entries.all() {
        let holds = entry.deliver(succeeded);
        hooks::tell(request, response, entry.definition(), holds.as_ref());
        let Some(holds) = holds else { continue };
        if matches!(holds, Holds::Token { .. }) {
            let hints = &entry.definition().hints;
            hints.token_sent(request, entry.begins_without_login());
            hints.needless_keys(&entry.definition().tokens.read(), &core.clock);
        }
        if send(core, response, entry.definition(), &holds) {
            entry.delivered(holds);
        } else {
            panicked = true;
        }
    }
    if panicked {
        error!("A session transport panicked; the client may not have received its token.");
        replace(request, response, Status::InternalServerError).await;
        say_again(core, response, entries);
    }
    !panicked
}

/// Puts the tokens and removals of the previous response on the one that replaces it.
fn say_again(core: &Core, response: &mut Response<'_>, entries: &Entries) {
    for entry in entries.all() {
        if let Some(holds) = entry.redeliver() {
            send(core, response, entry.definition(), &holds);
            entry.delivered(holds);
        }
    }
}

/// Puts one token or removal on the response. Returns `false` if the transport, which may
/// be user code, panicked.
fn send(core: &Core, response: &mut Response<'_>, definition: &Definition, holds: &Holds) -> bool {
    let (transport, name) = (&definition.transport, &definition.wire_name);
    let sent = std::panic::catch_unwind(AssertUnwindSafe(|| match holds {
        Holds::Token { token, max_age } => {
            let now = core.clock.now();
            transport.send(response, name, Outgoing { token, now, max_age: *max_age });
        }
        Holds::Nothing => transport.clear(response, name),
    }));
    sent.is_ok()
}

/// Replaces the response with the one that Rocket makes for `status`, and keeps the headers
/// that other fairings have set. An upgrade of the connection is dropped.
async fn replace<'r>(request: &'r Request<'_>, response: &mut Response<'r>, status: Status) {
    let mut caught = catch(request, status).await;
    std::mem::swap(response, &mut caught);
    let before = caught;
    let is_handlers = |name: &str| {
        let begins = |prefix: &&str| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        HANDLERS_PREFIXES.iter().any(begins)
            || HANDLERS_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own))
    };
    let caught: Vec<String> =
        response.headers().iter().map(|header| header.name().to_string()).collect();
    for header in before.headers().iter() {
        let name = header.name().as_str();
        let again = caught.iter().any(|caught| caught.eq_ignore_ascii_case(name));
        if !again && !is_handlers(name) {
            response.adjoin_raw_header(name.to_owned(), header.value().to_owned());
        }
    }
    if status == Status::ServiceUnavailable {
        response.set_raw_header("Retry-After", RETRY_AFTER_SECONDS);
    }
}

/// Runs the application's catcher for `status`, chosen as Rocket chooses it.
async fn catch<'r>(request: &'r Request<'_>, status: Status) -> Response<'r> {
    let plain = || Response::build().status(status).finalize();
    let rockets_own = Catcher::default();
    let catcher = catcher_for(request, status).unwrap_or(&rockets_own);
    let caught =
        std::panic::catch_unwind(AssertUnwindSafe(|| catcher.handler.handle(status, request)));
    let Ok(future) = caught else { return plain() };
    if let Ok(Ok(mut response)) = AssertUnwindSafe(future).catch_unwind().await {
        // A failure must not look like success, even if the catcher sets such a status.
        if response.status().code < 500 {
            response.set_status(status);
            response.remove_header("Location");
        }
        return response;
    }
    error!("The {} catcher failed; the response has no body.", status.code);
    plain()
}

/// Finds the catcher. The longest matching base wins. At equal length a catcher for this
/// status wins over a default one.
fn catcher_for<'r>(request: &'r Request<'_>, status: Status) -> Option<&'r Catcher> {
    let path = request.uri().path();
    let matching = request.rocket().catchers().filter(|catcher| {
        let base = catcher.base.path();
        let mut segments = path.segments();
        catcher.code.is_none_or(|code| code == status.code)
            && base.segments().all(|part| segments.next() == Some(part))
    });
    matching.max_by_key(|catcher| (catcher.base.path().segments().len(), catcher.code.is_some()))
}
