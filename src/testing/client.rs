//! Requests that carry a session, and the session that a response leaves.

use std::borrow::Cow;
use std::collections::HashMap;

use parking_lot::Mutex;
use rocket::local::{asynchronous, blocking};
use rocket::{Request, Response};

use crate::by_id::{Draft, Joined, Secrets, Trail};
use crate::by_value::{self, Sealed};
use crate::data::SessionData;
use crate::definition::{Core, Definition, Tracker};
use crate::error::SessionError;
use crate::expiry::Times;
use crate::request::load::find;
use crate::request::tracked::{Content, Tracked};
use crate::sessions::Sessions;
use crate::storage::{Create, OwnerKey, Refused, Timestamp};
use crate::transport::{MaxAge, Outgoing};

/// A request of Rocket's local client that carries a session, as if its user
/// had logged in a moment ago. For every transport, storage and protection.
///
/// ```
/// use rocket::{get, local::blocking::Client, routes};
/// use rocket_typed_sessions::testing::{SessionRequest, SessionResponse};
/// use rocket_typed_sessions::{Session, SessionData, Sessions};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Visits { count: u32 }
///
/// impl SessionData for Visits {
///     const NAME: &'static str = "visits";
/// }
///
/// #[get("/")]
/// fn index(session: Session<Visits>) -> Option<String> {
///     let visits = session.update(|visits| visits.count += 1)?;
///     Some(format!("Visit number {}", visits.count))
/// }
///
/// let figment = rocket::Config::figment().merge(("sessions.visits.storage", "memory"));
/// let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes![index]);
/// let client = Client::untracked(rocket).expect("a valid configuration");
///
/// let response = client.get("/").session(&Visits { count: 7 }).dispatch();
/// assert_eq!(client.session_after::<Visits>(&response).map(|visits| visits.count), Some(8));
/// assert_eq!(response.into_string().as_deref(), Some("Visit number 8"));
/// ```
pub trait SessionRequest: Sized {
    /// The request, carrying a new session that holds `value`. It is made when
    /// the first guard asks for it, and hides any token in the request itself.
    ///
    /// # Panics
    ///
    /// If the application has no definition for `T`, or `value` cannot be encoded.
    #[must_use]
    fn session<T: SessionData>(self, value: &T) -> Self;
}

/// What a client holds after a response: see [`SessionRequest`].
pub trait SessionResponse {
    /// The session that the client holds after `response`: the one whose token
    /// came with it, else the one that [`SessionRequest::session`] gave to its
    /// request, else the one in a tracking client's cookies.
    ///
    /// # Panics
    ///
    /// If the application has no definition for `T`, or the storage fails.
    fn session_after<T: SessionData>(&self, response: &blocking::LocalResponse<'_>) -> Option<T>;
}

/// [`SessionResponse`] for the asynchronous client.
pub trait AsyncSessionResponse {
    /// As [`SessionResponse::session_after`].
    fn session_after<T: SessionData>(
        &self,
        response: &asynchronous::LocalResponse<'_>,
    ) -> impl Future<Output = Option<T>> + Send;
}

/// The sessions that a test gave to a request, by name.
#[derive(Default)]
struct Minted(Mutex<HashMap<String, Mint>>);

enum Mint {
    /// To be made when it is asked for.
    Value(Content, Option<OwnerKey>),
    Token(String),
}

/// Tells the client of a minted session which token it would hold.
const HEADER: &str = "X-Testing-Session-";
/// Stands for a token, to see where a transport puts it.
const CANARY: &str = "kanarienvogel-kanarienvogel";

fn definition<T: SessionData>(sessions: Option<&Sessions>) -> (&Core, &Definition) {
    let Some(sessions) = sessions else { panic!("`Sessions::fairing()` is not attached") };
    match sessions.core().definition::<T>() {
        Ok(definition) => (sessions.core(), definition),
        Err(problem) => panic!("{problem}"),
    }
}

fn mint<T: SessionData>(request: &Request<'_>, value: &T) {
    let (_, definition) = definition::<T>(request.rocket().state());
    let content = match definition.encode(value) {
        Ok(content) => content,
        Err(cause) => panic!("{cause}"),
    };
    let mint = Mint::Value(content, definition.owner_of(value));
    request
        .local_cache(Minted::default)
        .0
        .lock()
        .insert(definition.namespace.session.clone(), mint);
}

impl SessionRequest for blocking::LocalRequest<'_> {
    fn session<T: SessionData>(self, value: &T) -> Self {
        mint(self.inner(), value);
        self
    }
}

impl SessionRequest for asynchronous::LocalRequest<'_> {
    fn session<T: SessionData>(self, value: &T) -> Self {
        mint(self.inner(), value);
        self
    }
}

/// The token that a test gave to this request for this session, if it did.
pub(crate) async fn received<'r>(
    request: &'r Request<'_>,
    core: &Core,
    definition: &Definition,
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

/// Makes a session from outside any request.
async fn make(
    core: &Core,
    definition: &Definition,
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
    let (secrets, trail, joined) = (Secrets::of(&id), Trail::default(), Joined::default());
    let draft = Draft { id, key, secrets, trail, joined, in_grace: false, times, owner, content };
    let (record, Tracked { place, .. }) = draft.write(core, definition, &tracker.server, &[])?;
    let storage = tracker.server.storage_of(&place.id);
    match storage.create(&place.key, record, guard, now).await? {
        Create::Created => definition.format().seal_id(&place.id, &core.random),
        Create::Refused(Refused::LimitReached) => Err(SessionError::LimitReached),
        Create::Exists | Create::Refused(Refused::Revoked) => Err(SessionError::Ended),
    }
}

/// Writes down which token the client of a minted session would hold now.
/// `sent` is what the response carries for it: a token, or a removal.
pub(crate) fn tell(
    request: &Request<'_>,
    response: &mut Response<'_>,
    definition: &Definition,
    sent: Option<&str>,
) {
    let minted = request.local_cache(Minted::default).0.lock();
    let header = format!("{HEADER}{}", definition.namespace.session);
    if let Some(Mint::Token(token)) = minted.get(&definition.namespace.session)
        && (sent.is_some() || !response.headers().contains(&header))
    {
        response.set_raw_header(header, sent.unwrap_or(token).to_owned());
    }
}

/// The token that the client holds after a response with these headers.
fn held(
    definition: &Definition,
    headers: &rocket::http::HeaderMap<'_>,
    cookies: &rocket::http::CookieJar<'_>,
) -> Option<String> {
    if let Some(token) = headers.get_one(&format!("{HEADER}{}", definition.namespace.session)) {
        return Some(token.to_owned());
    }
    let mut example = Response::new();
    let max_age = MaxAge::Configured;
    let outgoing = Outgoing { token: CANARY, now: Timestamp::ZERO, max_age };
    definition.transport.send(&mut example, &definition.wire_name, outgoing);
    for header in example.headers().iter() {
        let Some((before, _)) = header.value().split_once(CANARY) else { continue };
        let mut values = headers.get(header.name().as_str());
        if let Some(rest) = values.find_map(|value| value.strip_prefix(before)) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            return Some(rest.chars().take_while(|c| plain(*c)).collect());
        }
    }
    cookies.get(&definition.wire_name).map(|cookie| cookie.value().to_owned())
}

async fn open<T: SessionData>(core: &Core, definition: &Definition, token: String) -> Option<T> {
    let values = [Cow::from(token)];
    match find::<T>(core, definition, &values).await {
        Ok(found) => definition.codec.decode(found.sessions.content()?),
        Err(cause) => panic!("{cause}"),
    }
}

impl AsyncSessionResponse for asynchronous::Client {
    fn session_after<T: SessionData>(
        &self,
        response: &asynchronous::LocalResponse<'_>,
    ) -> impl Future<Output = Option<T>> + Send {
        let (core, definition) = definition::<T>(self.rocket().state());
        // A response cannot be shared between threads.
        let token = held(definition, response.headers(), &self.cookies());
        async move { open(core, definition, token?).await }
    }
}

impl SessionResponse for blocking::Client {
    fn session_after<T: SessionData>(&self, response: &blocking::LocalResponse<'_>) -> Option<T> {
        let (core, definition) = definition::<T>(self.rocket().state());
        let token = held(definition, response.headers(), &self.cookies())?;
        // The client's own runtime is out of reach; it goes on beside this one.
        std::thread::scope(|scope| {
            let read = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(open(core, definition, token)),
                    Err(cause) => panic!("no runtime: {cause}"),
                }
            });
            match read.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
