//! The path of a request as code: [`load`] at the first use of a session,
//! [`commit`] at the end. The only place that orders the steps.

mod client;
mod decision;
mod refresh;
mod relocation;
mod server;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rocket::{Request, warn};
use tokio::time::{Instant, timeout, timeout_at};

use crate::SessionData;
use crate::definition::{Core, Definition};
use crate::error::{EncodeError, SessionError};
use crate::event::SessionEventKind as Event;
use crate::ktor::{Serializer, Variant, from_form, to_form};
use crate::state::{Emission, Pending, State};
use crate::storage::{OwnerGuard, OwnerKey, StorageError};
use crate::token::{SessionId, owner_key};
use crate::tracker::{Content, Found, Origin, Place, by_id, by_value};
use decision::Commit;

/// More values of one session than this are no session (checklist S10).
const MAX_VALUES: usize = 4;

/// Finds the session that a request presents. A missing, malformed, forged,
/// expired or unknown token is an absent session; only a storage that cannot
/// answer is an error.
pub(crate) async fn load<T: SessionData>(
    request: &Request<'_>,
    core: &Core,
    definition: &Definition,
    budget: Duration,
) -> Result<State<T>, SessionError> {
    let values = definition.transport.receive(request, &definition.wire_name);
    #[cfg(feature = "testing")]
    let values = match crate::testing::client::received(request, core, definition).await? {
        Some(minted) => vec![minted],
        None => values,
    };
    if values.is_empty() {
        return Ok(State::new(false, None, None, Vec::new()));
    }
    let find = find::<T>(core, definition, &values);
    let mut found = match values.len() {
        1..=MAX_VALUES => timeout(budget, find).await.unwrap_or_else(|_| Err(too_late()))?,
        _ => Found::default(),
    };
    if let Some(origin) = found.only()
        && let Some(value) = decode(definition, &origin.content)
    {
        let renewal_due = match &origin.place {
            Place::Server(located) if !located.grace => {
                let renewed = located.secrets.renewed;
                definition.lifetime.renewal_due(&origin.times, renewed, core.clock.now())
            }
            _ => false,
        };
        if origin.accepted {
            core.emit(Event::KtorAccepted, definition);
        }
        let state = State::new(true, found.origins.pop(), Some(Arc::new(value)), Vec::new());
        return Ok(State { renewal_due, ..state });
    }
    if found.origins.len() > 1 || values.len() > MAX_VALUES {
        warn!(
            "Session `{}`: several sessions were presented at once; none of them is used.",
            definition.name
        );
    }
    let over = found.over && found.origins.is_empty();
    core.emit(if over { Event::Expired } else { Event::Rejected }, definition);
    Ok(State::new(true, None, None, found.origins))
}

/// The sessions that tokens stand for.
pub(crate) async fn find<T: SessionData>(
    core: &Core,
    definition: &Definition,
    values: &[Cow<'_, str>],
) -> Result<Found, SessionError> {
    let now = core.clock.now();
    let mut found = match &definition.server {
        Some(server) => by_id::load(definition, server, values, now).await?,
        None => by_value::load(definition, values, now),
    };
    found.origins =
        found.origins.into_iter().filter_map(|o| converted::<T>(definition, o)).collect();
    if let Some(revocation) = &definition.revocation {
        let mut live = Vec::new();
        for origin in found.origins {
            let owner = decode_with::<T>(definition.serializer, origin.content.bytes());
            let owner = owner.and_then(|value| owner_of(definition, &value));
            if revocation.covers(definition, &origin, owner.as_ref(), now).await? {
                found.over = true;
            } else {
                live.push(origin);
            }
        }
        found.origins = live;
    }
    Ok(found)
}

/// What an accepted format holds, as this definition would write it.
fn converted<T: SessionData>(definition: &Definition, origin: Origin) -> Option<Origin> {
    if !origin.accepted {
        return Some(origin);
    }
    let serializer = definition.format().as_ktor()?.serializer;
    let value: T = decode_with(serializer, origin.content.bytes())?;
    let content = encode_with(definition.serializer, &value).ok()?;
    Some(Origin { content: Content::owned(content), ..origin })
}

fn decode_with<T: SessionData>(serializer: Serializer, bytes: &[u8]) -> Option<T> {
    match serializer {
        Serializer::Json => T::decode(bytes).ok(),
        _ => from_form(std::str::from_utf8(bytes).ok()?),
    }
}

fn encode_with<T: SessionData>(serializer: Serializer, value: &T) -> Result<Vec<u8>, EncodeError> {
    let variant = match serializer {
        Serializer::Json => return value.encode(),
        Serializer::KotlinxLegacy => Variant::Kotlinx,
        Serializer::ReflectionLegacy => Variant::Reflection,
    };
    let form = to_form(value, variant);
    form.map(String::into_bytes)
        .map_err(|cause| EncodeError::caused_by("Ktor's old format failed", cause))
}

/// Whose session a value makes it.
pub(crate) fn owner_of<T: SessionData>(definition: &Definition, value: &T) -> Option<OwnerKey> {
    value.owner().map(|owner| owner_key(&definition.app, &definition.name, &owner))
}

/// What one commit works on: the request's changes, taken out of its state.
pub(crate) struct Job<T> {
    pub origin: Option<Arc<Origin>>,
    pub others: Vec<Origin>,
    pub presented: bool,
    pub value: Option<Arc<T>>,
    /// `value`, encoded, if that is done already.
    pub encoded: Option<Content>,
    /// The value as it was found or last committed.
    pub committed: Option<Arc<T>>,
    pub pending: Pending<T>,
    /// The id to give to a session that takes a fresh one.
    pub planned_id: Option<SessionId>,
    /// Of the state that the job was taken from.
    pub revision: u64,
    /// The response has been sent: no token can reach the client any more.
    pub late: bool,
    /// After a 5xx: nothing is refreshed or re-issued.
    pub failed: bool,
    /// The session has had its id for long enough.
    pub renewal_due: bool,
    /// Who the client says that it is, encoded; empty if nobody wants to know.
    pub client: Arc<[u8]>,
    /// The id that the application's `identity` gives to a session that begins.
    pub identity: Option<Result<SessionId, SessionError>>,
}

impl<T: SessionData> Job<T> {
    /// The changes begin another session, whatever became of the present one.
    pub fn begins_another(&self) -> bool {
        let owner = |value: &Option<Arc<T>>| {
            value.as_deref().and_then(T::owner).map(std::borrow::Cow::into_owned)
        };
        self.pending.login
            || self.pending.base.is_some() && owner(&self.value) != owner(&self.committed)
    }
}

/// What a commit left.
pub(crate) struct Done<T> {
    pub origin: Option<Arc<Origin>>,
    pub value: Option<Arc<T>>,
    /// The value is not the job's: the changes were replayed or dropped.
    pub moved: bool,
    /// The session ended meanwhile and the changes were dropped.
    pub dropped: bool,
    pub emission: Emission,
}

impl<T> Done<T> {
    fn keep(job: &Job<T>) -> Self {
        Self {
            origin: job.origin.clone(),
            value: job.value.clone(),
            moved: false,
            dropped: false,
            emission: Emission::Nothing,
        }
    }
}

/// Carries out what the state asks for, at the latest until `deadline`
/// (checklist S66). Everything is encoded and checked before the first write.
pub(crate) async fn commit<T: SessionData>(
    core: &Core,
    definition: &Definition,
    job: &Job<T>,
    deadline: Instant,
) -> Result<Done<T>, SessionError> {
    let conflicted = AtomicBool::new(false);
    let (now, guard) = (core.clock.now(), OwnerGuard::default());
    let commit = Commit { core, definition, now, deadline, conflicted: &conflicted, guard };
    let next = commit.candidate_of(job)?;
    let done = async {
        match &definition.server {
            None => commit.on_client(job, next).await,
            Some(server) => commit.on_server(server, job, next).await,
        }
    };
    timeout_at(deadline, done).await.unwrap_or_else(|_| Err(commit.timed_out()))
}

/// The bytes that would be written now, checked for their size. Encoding all
/// sessions before any is written keeps a failure from writing half of them.
pub(crate) fn encode<T: SessionData>(
    definition: &Definition,
    value: &T,
) -> Result<Content, SessionError> {
    let content = encode_with(definition.serializer, value).map_err(SessionError::Encode)?;
    let payload = definition.transform_write(&content)?;
    definition.check_payload(payload.len())?;
    if definition.server.is_none() {
        definition.check_token(definition.format().payload_token_len(&payload)?)?;
    }
    drop(payload);
    Ok(Content::owned(content))
}

/// The value in a payload; one that does not decode is an absent session.
pub(crate) fn decode<T: SessionData>(definition: &Definition, content: &Content) -> Option<T> {
    let value = decode_with(definition.serializer, content.bytes());
    if value.is_none() {
        warn!("Session `{}`: a payload does not decode; it counts as absent.", definition.name);
    }
    value
}

/// A storage that did not answer within the budget.
pub(crate) fn too_late() -> SessionError {
    StorageError::Unavailable("no answer within the storage timeout".into(), None).into()
}
