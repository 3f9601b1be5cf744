//! Sessions that a test of an application gives to a request; see
//! [`SessionRequest`](crate::testing::SessionRequest).

use std::borrow::Cow;
use std::collections::HashMap;

use parking_lot::Mutex;
use rocket::{Request, Response};

use crate::application::{Defined, Tracker};
use crate::by_id::{Draft, Provenance, Secrets, Trail};
use crate::by_value::{self, Sealed};
use crate::codec::Content;
use crate::definition::{Core, Definition};
use crate::error::SessionError;
use crate::expiry::Times;
use crate::storage::{Create, OwnerKey, Refused};

/// The sessions that a test gave to a request, by name.
#[derive(Default)]
struct Minted(Mutex<HashMap<String, Mint>>);

enum Mint {
    /// The session is made when the request first uses it.
    Value(Content, Option<OwnerKey>),
    Token(String),
}

/// The response header that tells a test which token the client of a minted session holds.
pub(crate) fn header(definition: &Definition) -> String {
    format!("X-Testing-Session-{}", definition.namespace.session)
}

/// Gives a request a session with this content.
pub(crate) fn mint(
    request: &Request<'_>,
    definition: &Definition,
    content: Content,
    owner: Option<OwnerKey>,
) {
    let minted = request.local_cache(Minted::default);
    minted.0.lock().insert(definition.namespace.session.clone(), Mint::Value(content, owner));
}

/// Returns the token that a test gave to this request for this session, if any.
pub(super) async fn receive<'r>(
    request: &'r Request<'_>,
    core: &Core,
    definition: &Defined,
) -> Result<Option<Cow<'r, str>>, SessionError> {
    let minted = request.local_cache(Minted::default);
    let value = match minted.0.lock().get(&definition.namespace.session) {
        None => return Ok(None),
        Some(Mint::Token(token)) => return Ok(Some(token.clone().into())),
        Some(Mint::Value(content, owner)) => (content.clone(), owner.clone()),
    };
    let token = make(core, definition, value).await?;
    minted.0.lock().insert(definition.namespace.session.clone(), Mint::Token(token.clone()));
    Ok(Some(token.into()))
}

/// Creates a session without a request, and returns its token.
async fn make(
    core: &Core,
    definition: &Defined,
    (content, owner): (Content, Option<OwnerKey>),
) -> Result<String, SessionError> {
    let now = core.clock.now();
    let times = Times::begin(now, true);
    let tracker = match &definition.tracker {
        Tracker::ByValue(tracker) => {
            let epoch = match (&tracker.revocation, &owner) {
                (Some(revocation), Some(owner)) => revocation.epoch(owner, now).await?,
                _ => 0,
            };
            let place = Sealed::new(core.random.bytes()?, epoch, owner);
            let sealed = by_value::seal(definition, &core.random, place, times, content);
            return sealed.map(|(_, token)| token);
        }
        Tracker::ById(tracker) => tracker,
    };
    let guard = tracker.guard(owner.as_ref()).await?;
    let id = definition.random_id(&core.random)?;
    let key = definition.namespace.record(&id.locator());
    let (secrets, trail, provenance) = (Secrets::new(&id), Trail::default(), Provenance::default());
    let draft =
        Draft { id, key, secrets, trail, provenance, in_grace: false, times, owner, content };
    let (record, written) = draft.write(core, definition, &tracker.store, &[])?;
    let place = &written.place;
    let storage = tracker.store.storage_for(&place.id);
    match storage.create(&place.key, record, guard, now).await? {
        Create::Created => definition.tokens().seal_id(&place.id, &core.random),
        Create::Refused(Refused::LimitReached) => Err(SessionError::LimitReached),
        Create::Exists | Create::Refused(Refused::Revoked) => Err(SessionError::Ended),
    }
}

/// Writes to the response which token the client of a minted session holds now.
/// `sent` is the token that the response sends, or empty for a removal.
pub(super) fn tell(
    request: &Request<'_>,
    response: &mut Response<'_>,
    definition: &Definition,
    sent: Option<&str>,
) {
    let minted = request.local_cache(Minted::default).0.lock();
    let header = header(definition);
    if let Some(Mint::Token(token)) = minted.get(&definition.namespace.session)
        && (sent.is_some() || !response.headers().contains(&header))
    {
        response.set_raw_header(header, sent.unwrap_or(token).to_owned());
    }
}
