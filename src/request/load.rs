//! Finds the session that a request presents, when the request first uses it.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;

use rocket::warn;

use super::prefetch::Loading;
use super::presented::{Presented, SessionSet};
use crate::absence::Absence;
use crate::application::{Defined, Tracker};
use crate::by_id::ReadRecord;
use crate::by_value::{Revocation, Sealed};
use crate::data::SessionData;
use crate::deadline::too_late;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Timestamp;
use crate::tracked::{Found, Tracked, TrackedSet};
use crate::transport::MAX_VALUES;
use crate::{by_id, by_value};

/// The session that a request presents.
pub(crate) struct Loaded<T> {
    pub presented: Presented,
    pub value: Option<Arc<T>>,
    /// Why the request presents no session. `None` if it presents one, or if that is unknown.
    pub absence: Option<Absence>,
}

impl<T> Loaded<T> {
    /// No session.
    pub fn nobody(definition: &Defined, absence: Option<Absence>) -> Self {
        let sessions = SessionSet::nobody(&definition.tracker);
        Self { presented: Presented { any: false, sessions }, value: None, absence }
    }
}

/// Finds the session that a request presents. A missing, malformed, forged, expired or
/// unknown token means an absent session, and the reason is returned. Only a storage that
/// does not answer is an error.
pub(crate) async fn load<T: SessionData>(
    loading: &Loading<'_, '_>,
) -> Result<Loaded<T>, SessionError> {
    let (core, definition) = (&loading.application.core, loading.definition);
    let values = definition.transport.receive(loading.request, &definition.wire_name);
    let values = super::hooks::receive(loading.request, core, definition, values).await?;
    let find = pin!(find::<T>(core, definition, &values, Some(loading)));
    let found = match values.len() {
        0 => return Ok(Loaded::nobody(definition, Some(Absence::NotPresented))),
        1..=MAX_VALUES => {
            let budgets = &loading.shared.loading;
            let found = budgets.wait(definition.storage_timeout, find).await;
            found.unwrap_or_else(|| Err(too_late()))?
        }
        _ => Presentation::several(definition),
    };
    if let Some(content) = found.sessions.content()
        && let Some(value) = definition.codec.decode::<T>(content)
    {
        if found.sessions.snapshot().is_some_and(|session| session.accepted) {
            core.emit(Event::KtorAccepted, definition);
        }
        let presented = Presented { any: true, sessions: found.sessions };
        return Ok(Loaded { presented, value: Some(value), absence: None });
    }
    if !found.ended {
        definition.hints.foreign_keys(&definition.tokens(), &values);
    }
    Ok(without_session(core, definition, found))
}

/// Reports that the tokens of a request stand for no session that can be used.
fn without_session<T>(core: &Core, definition: &Definition, found: Presentation) -> Loaded<T> {
    if found.several {
        warn!(
            "Session `{}`: several sessions were presented at once; none of them is used.",
            definition.namespace.session
        );
    }
    if found.sessions.superseded().is_none() {
        core.emit(if found.over { Event::Expired } else { Event::Rejected }, definition);
    }
    let absence = if found.ended { Absence::Ended } else { Absence::Invalid };
    let mut sessions = found.sessions;
    sessions.set_aside();
    let presented = Presented { any: true, sessions };
    Loaded { presented, value: None, absence: Some(absence) }
}

/// What was found for the tokens of a request.
pub(crate) struct Presentation {
    /// The session to use, if exactly one was found, and the others.
    pub sessions: SessionSet,
    several: bool,
    /// A token was genuine, but no live session was found.
    over: bool,
    /// If there is no session to use, the reason is `Absence::Ended`, not `Invalid`.
    ended: bool,
}

impl Presentation {
    fn several(definition: &Defined) -> Self {
        let sessions = SessionSet::nobody(&definition.tracker);
        Self { sessions, several: true, over: false, ended: false }
    }
}

/// Finds the sessions that the tokens stand for. `reader`, if there is one, reads the
/// records of a remote storage.
pub(crate) async fn find<T: SessionData>(
    core: &Core,
    definition: &Defined,
    values: &[Cow<'_, str>],
    reader: Option<&dyn ReadRecord>,
) -> Result<Presentation, SessionError> {
    let now = core.clock.now();
    Ok(match &definition.tracker {
        Tracker::ByValue(tracker) => {
            let found = by_value::load(definition, values, now);
            let mut found = convert_all::<T, _>(definition, found);
            if let Some(revocation) = &tracker.revocation {
                Box::pin(leave_out_ended::<T>(definition, revocation, &mut found, now)).await?;
            }
            presentation(found, |sessions| SessionSet::ByValue(Arc::clone(tracker), sessions))
        }
        Tracker::ById(tracker) => {
            let found = by_id::load(definition, &tracker.store, values, now, reader).await?;
            let found = convert_all::<T, _>(definition, found);
            presentation(found, |sessions| SessionSet::ById(Arc::clone(tracker), sessions))
        }
    })
}

/// Removes the sessions by value that the storage knows as ended.
async fn leave_out_ended<T: SessionData>(
    definition: &Definition,
    revocation: &Revocation,
    found: &mut Found<Sealed>,
    now: Timestamp,
) -> Result<(), SessionError> {
    for mut session in std::mem::take(&mut found.sessions) {
        let value = definition.codec.decode::<T>(&session.content);
        let owner = value.and_then(|value| definition.value_owner(&*value));
        Arc::make_mut(&mut session).place.owner = owner;
        if revocation.covers(&session.place, None, now).await? {
            found.over = true;
        } else {
            found.sessions.push(session);
        }
    }
    Ok(())
}

/// Chooses the session to use: there must be exactly one live session.
fn presentation<P>(
    found: Found<P>,
    kind: impl FnOnce(TrackedSet<P>) -> SessionSet,
) -> Presentation {
    let over = found.over && found.sessions.is_empty();
    let several = found.sessions.len() > 1;
    let ended = found.ours || found.over || several;
    // A superseded session beside a live one is ignored.
    let superseded = found.superseded.filter(|_| found.sessions.is_empty());
    let mut found = found.sessions.into_iter();
    let one = if several { None } else { found.next() };
    let sessions = TrackedSet { one, others: found.collect(), lost: Vec::new(), superseded };
    Presentation { sessions: kind(sessions), several, over, ended }
}

/// Converts the sessions in an accepted format; see [`convert`].
fn convert_all<T: SessionData, P: Clone>(definition: &Definition, found: Found<P>) -> Found<P> {
    if found.sessions.iter().all(|session| !session.snapshot.accepted) {
        return found;
    }
    let convert = |session| convert::<T, P>(definition, session);
    Found { sessions: found.sessions.into_iter().filter_map(convert).collect(), ..found }
}

/// Re-encodes the content of a session in an accepted format with the definition's own
/// serializer.
pub(crate) fn convert<T: SessionData, P: Clone>(
    definition: &Definition,
    mut session: Arc<Tracked<P>>,
) -> Option<Arc<Tracked<P>>> {
    if !session.snapshot.accepted {
        return Some(session);
    }
    let serializer = definition.tokens().as_ktor()?.serializer;
    let content = definition.codec.convert::<T>(serializer, &session.content)?;
    Arc::make_mut(&mut session).content = content;
    Some(session)
}
