//! What happens at the first use of a session in a request: find out which one
//! the request presents.

use std::borrow::Cow;
use std::pin::{Pin, pin};
use std::sync::Arc;

use rocket::futures::future::poll_immediate;
use rocket::{Request, warn};
use tokio::time::{Instant, timeout_at};

use super::state::State;
use super::tracked::{Kind, Presented, Replaced, Sessions, Tracked};
use crate::absence::Absence;
use crate::application::{Defined, Tracker};
use crate::by_value::{Revocation, Sealed};
use crate::data::SessionData;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::event::SessionEventKind as Event;
use crate::expiry::Timestamp;
use crate::storage::StorageError;
use crate::{by_id, by_value};

/// More values of one session than this are no session (checklist S10).
const MAX_VALUES: usize = 4;

/// What tokens stand for.
pub(crate) struct Found<P> {
    /// Every distinct live session.
    pub sessions: Vec<Tracked<P>>,
    /// Another token was genuine, but its session is over.
    pub over: bool,
    /// Another one stands for a session that a login has replaced.
    pub replaced: Option<Replaced>,
    /// A token was ours, or an id without protection, whatever it stands for.
    pub ours: bool,
}

impl<P> Default for Found<P> {
    fn default() -> Self {
        Self { sessions: Vec::new(), over: false, replaced: None, ours: false }
    }
}

/// Finds the session that a request presents. A missing, malformed, forged,
/// expired or unknown token is an absent session, with the reason. Only a storage
/// that cannot answer is an error.
pub(crate) async fn load<T: SessionData>(
    request: &Request<'_>,
    core: &Core,
    definition: &Defined,
    deadline: Instant,
) -> Result<(State<T>, Option<Absence>), SessionError> {
    let values = definition.transport.receive(request, &definition.wire_name);
    let values = super::hooks::received(request, core, definition, values).await?;
    let find = pin!(find::<T>(core, definition, &values));
    let found = match values.len() {
        0 => return Ok((nobody(definition), Some(Absence::NotPresented))),
        1..=MAX_VALUES => within(deadline, find).await.unwrap_or_else(|| Err(too_late()))?,
        _ => Presentation::several(definition),
    };
    if let Some(content) = found.sessions.content()
        && let Some(value) = definition.codec.decode::<T>(content)
    {
        if found.sessions.snapshot().is_some_and(|session| session.accepted) {
            core.emit(Event::KtorAccepted, definition);
        }
        let presented = Presented { any: true, sessions: found.sessions };
        return Ok((State::new(presented, Some(Arc::new(value))), None));
    }
    if found.several {
        warn!(
            "Session `{}`: several sessions were presented at once; none of them is used.",
            definition.namespace.session
        );
    }
    if found.sessions.replaced().is_none() {
        core.emit(if found.over { Event::Expired } else { Event::Rejected }, definition);
    }
    let absence = if found.ended { Absence::Ended } else { Absence::Invalid };
    let mut sessions = found.sessions;
    sessions.set_aside();
    Ok((State::new(Presented { any: true, sessions }, None), Some(absence)))
}

/// A request without a session, or with one that could not be loaded.
pub(crate) fn nobody<T>(definition: &Defined) -> State<T> {
    let sessions = Kind::nobody(&definition.tracker);
    State::new(Presented { any: false, sessions }, None)
}

/// What a request's tokens stand for, as far as one session can be used.
pub(crate) struct Presentation {
    /// One session, or several of which none is used.
    pub sessions: Kind,
    several: bool,
    /// A token was genuine, and no session lives.
    over: bool,
    /// If there is no session to use, there was one.
    ended: bool,
}

impl Presentation {
    fn several(definition: &Defined) -> Self {
        let sessions = Kind::nobody(&definition.tracker);
        Self { sessions, several: true, over: false, ended: false }
    }
}

/// The sessions that tokens stand for.
pub(crate) async fn find<T: SessionData>(
    core: &Core,
    definition: &Defined,
    values: &[Cow<'_, str>],
) -> Result<Presentation, SessionError> {
    let now = core.clock.now();
    Ok(match &definition.tracker {
        Tracker::ByValue(tracker) => {
            let found = by_value::load(definition, values, now);
            let mut found = converted::<T, _>(definition, found);
            if let Some(revocation) = &tracker.revocation {
                Box::pin(leave_out_ended::<T>(definition, revocation, &mut found, now)).await?;
            }
            presentation(found, |sessions| Kind::ByValue(Arc::clone(tracker), sessions))
        }
        Tracker::ById(tracker) => {
            let found = by_id::load(definition, &tracker.server, values, now).await?;
            let found = converted::<T, _>(definition, found);
            presentation(found, |sessions| Kind::ById(Arc::clone(tracker), sessions))
        }
    })
}

/// Leaves out the sessions by value that the storage remembers as ended.
async fn leave_out_ended<T: SessionData>(
    definition: &Definition,
    revocation: &Revocation,
    found: &mut Found<Sealed>,
    now: Timestamp,
) -> Result<(), SessionError> {
    for mut session in std::mem::take(&mut found.sessions) {
        let value = definition.codec.decode::<T>(&session.content);
        session.place.owner = value.and_then(|value| definition.owner_of(&value));
        if revocation.covers(&session.place, None, now).await? {
            found.over = true;
        } else {
            found.sessions.push(session);
        }
    }
    Ok(())
}

/// Exactly one live session is the request's.
fn presentation<P>(found: Found<P>, kind: impl FnOnce(Sessions<P>) -> Kind) -> Presentation {
    let over = found.over && found.sessions.is_empty();
    let several = found.sessions.len() > 1;
    let ended = found.ours || found.over || several;
    // Beside a live session it counts for nothing.
    let replaced = found.replaced.filter(|_| found.sessions.is_empty()).map(Arc::new);
    let mut found = found.sessions.into_iter().map(Arc::new);
    let one = if several { None } else { found.next() };
    let sessions = Sessions { one, others: found.collect(), lost: Vec::new(), replaced };
    Presentation { sessions: kind(sessions), several, over, ended }
}

/// What an accepted format holds, as this definition would write it.
fn converted<T: SessionData, P>(definition: &Definition, found: Found<P>) -> Found<P> {
    let convert = |session| convert::<T, P>(definition, session);
    Found { sessions: found.sessions.into_iter().filter_map(convert).collect(), ..found }
}

/// [`Tracked::content`] in this definition's own serializer.
pub(crate) fn convert<T: SessionData, P>(
    definition: &Definition,
    session: Tracked<P>,
) -> Option<Tracked<P>> {
    if !session.snapshot.accepted {
        return Some(session);
    }
    let serializer = definition.format().as_ktor()?.serializer;
    let content = definition.codec.convert::<T>(serializer, &session.content)?;
    Some(Tracked { content, ..session })
}

/// What `work` gives, if that is before the deadline. Work that is ready at once
/// costs no timer.
pub(crate) async fn within<R>(
    deadline: Instant,
    mut work: Pin<&mut (impl Future<Output = R> + Send)>,
) -> Option<R> {
    match poll_immediate(work.as_mut()).await {
        Some(ready) => Some(ready),
        None => Box::pin(timeout_at(deadline, work)).await.ok(),
    }
}

/// A storage that did not answer within the budget.
pub(crate) fn no_answer() -> StorageError {
    StorageError::Unavailable("no answer within the storage timeout".into(), None)
}

/// The same, of a session.
pub(crate) fn too_late() -> SessionError {
    no_answer().into()
}
