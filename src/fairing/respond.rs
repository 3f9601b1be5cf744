//! The end of a request: commit its sessions and tell the client.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocket::catcher::Catcher;
use rocket::futures::FutureExt;
use rocket::http::Status;
use rocket::{Request, Response, error};
use tokio::time::Instant;

use crate::definition::Core;
use crate::error::{EncodeError, SessionError};
use crate::manager::Sessions;
use crate::request::{Committable, RequestSessions};
use crate::state::Emission;
use crate::transport::Outgoing;

/// What a replaced response does not keep of the handler's. Everything else
/// stays: other fairings set it.
const HANDLERS_HEADERS: [&str; 4] = ["Location", "ETag", "Last-Modified", "Cache-Control"];
const RETRY_AFTER_SECONDS: &str = "1";

type Entries = [Arc<dyn Committable>];

/// Commits the request's sessions in the order of their first use, and puts
/// their tokens on the response. A session that cannot be saved replaces the
/// response: a failed save never looks like success.
pub(super) async fn commit<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
    let Some(core) = request.rocket().state::<Sessions>().map(Sessions::core) else { return };
    if core.entries.load(Ordering::SeqCst) == 0 {
        return;
    }
    let sessions = RequestSessions::of(request);
    let entries = sessions.entries();
    if entries.is_empty() {
        return;
    }
    let failed = response.status().class().is_server_error();
    let saved = AssertUnwindSafe(save_all(&entries, failed)).catch_unwind().await;
    let saved =
        saved.unwrap_or_else(|_| Err(SessionError::Encode(EncodeError::new("user code panicked"))));
    sessions.mark_sent();
    if let Err(cause) = &saved {
        error!("The request's sessions could not be saved: {cause}.");
        for entry in &entries {
            entry.give_up();
        }
        replace(request, response, cause.status()).await;
    }
    let unavailable = response.status() == Status::ServiceUnavailable;
    if unavailable && entries.iter().any(|entry| entry.unknown()) {
        response.set_raw_header("Retry-After", RETRY_AFTER_SECONDS);
    }
    // A custom transport is user code.
    let told = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let emitted = emit(core, request, response, &entries, saved.is_ok());
        keep_private(response, &entries, emitted);
    }));
    if told.is_err() {
        error!("A session transport panicked; the client may not have its token.");
        replace(request, response, Status::InternalServerError).await;
        response.set_raw_header("Cache-Control", "no-store");
    }
}

/// Everything is encoded and checked before anything is written.
async fn save_all(entries: &Entries, failed: bool) -> Result<(), SessionError> {
    for entry in entries {
        entry.prepare(failed)?;
    }
    let started = Instant::now();
    for entry in entries {
        entry.commit(failed, started).await?;
    }
    Ok(())
}

fn emit(
    core: &Core,
    request: &Request<'_>,
    response: &mut Response<'_>,
    entries: &Entries,
    succeeded: bool,
) -> bool {
    #[cfg(not(feature = "testing"))]
    let _ = request;
    let now = core.clock.now();
    let mut emitted = false;
    for entry in entries {
        let definition = entry.definition();
        let (transport, name) = (&definition.transport, &definition.wire_name);
        let emission = entry.emission(succeeded);
        #[cfg(feature = "testing")]
        crate::testing::client::tell(request, response, definition, emission.shown());
        match emission {
            Emission::Nothing => continue,
            Emission::Token { token, max_age } => {
                transport.send(response, name, Outgoing { token: &token, now, max_age });
            }
            Emission::Removal => transport.clear(response, name),
        }
        emitted = true;
    }
    emitted
}

/// A response that depends on a session belongs in no shared cache (checklist S15).
fn keep_private(response: &mut Response<'_>, entries: &Entries, emitted: bool) {
    for entry in entries {
        let definition = entry.definition();
        let Some(name) = definition.transport.vary(&definition.wire_name) else { continue };
        let fields: Vec<_> = response.headers().get("Vary").flat_map(|v| v.split(',')).collect();
        let known = |field: &&str| *field == "*" || field.eq_ignore_ascii_case(name);
        let fields = fields.into_iter().map(str::trim).filter(|field| !field.is_empty());
        if !fields.clone().any(|field| known(&field)) {
            let merged = fields.chain([name]).collect::<Vec<_>>().join(", ");
            response.set_raw_header("Vary", merged);
        }
    }
    let says = |directive: &str| {
        let values = response.headers().get("Cache-Control");
        values.flat_map(|value| value.split(',')).any(|part| {
            let name = part.split('=').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case(directive)
        })
    };
    let private = says("no-store") || says("private");
    if !private || emitted && says("public") {
        response.set_raw_header("Cache-Control", "no-store");
    }
}

/// Makes the response what Rocket would have made of `status`, but for the
/// headers that other fairings have set.
async fn replace<'r>(request: &'r Request<'_>, response: &mut Response<'r>, status: Status) {
    let stale: Vec<String> = response
        .headers()
        .iter()
        .map(|header| header.name().to_string())
        .filter(|name| {
            let content = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("Content-"));
            content
                || name.eq_ignore_ascii_case("Set-Cookie")
                || HANDLERS_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own))
        })
        .collect();
    for name in stale {
        response.remove_header(&name);
    }
    let mut caught = catch(request, status).await;
    response.set_status(caught.status());
    let headers: Vec<_> = caught
        .headers()
        .iter()
        .map(|header| (header.name().to_string(), header.value().to_owned()))
        .collect();
    for (name, _) in &headers {
        response.remove_header(name);
    }
    for (name, value) in headers {
        response.adjoin_raw_header(name, value);
    }
    *response.body_mut() = std::mem::take(caught.body_mut());
    if status == Status::ServiceUnavailable {
        response.set_raw_header("Retry-After", RETRY_AFTER_SECONDS);
    }
}

/// The application's own catcher for `status`, chosen as Rocket chooses it.
async fn catch<'r>(request: &'r Request<'_>, status: Status) -> Response<'r> {
    let plain = || Response::build().status(status).finalize();
    let rockets_own = Catcher::default();
    let catcher = catcher_for(request, status).unwrap_or(&rockets_own);
    let caught =
        std::panic::catch_unwind(AssertUnwindSafe(|| catcher.handler.handle(status, request)));
    let Ok(future) = caught else { return plain() };
    if let Ok(Ok(response)) = AssertUnwindSafe(future).catch_unwind().await {
        return response;
    }
    error!("The {} catcher failed; the response has no body.", status.code);
    plain()
}

/// The longest matching base wins; at equal length a catcher of this status
/// wins over a default one.
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
