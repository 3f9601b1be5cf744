//! [`Sessions`]: the managed state behind the guards.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome};
use rocket::{Ignite, Request, Rocket, Sentinel, error};
use sha2::{Digest, Sha256};

use crate::by_id::{self, ById, Ending, Listed, Server};
use crate::client::ClientInfo;
use crate::definition::{Core, Definition, Tracker};
use crate::error::SessionError;
use crate::event::SessionEventKind;
use crate::request::entry::{Committable as _, Ended};
use crate::request::load::too_late;
use crate::request::{Entries, RequestSessions};
use crate::storage::{OwnerKey, StorageKey, Timestamp};
use crate::{Session, SessionData, SessionId};

/// The application's sessions: managed state and a request guard.
///
/// [`Sessions::fairing`] is what an application attaches.
#[derive(Clone)]
pub struct Sessions {
    core: Arc<Core>,
    /// The sessions of the request whose guard this is.
    here: Option<Arc<Entries>>,
}

impl Sessions {
    /// What can be done to the sessions of type `T` from outside a request's own.
    ///
    /// ```
    /// use rocket::{http::Status, post};
    /// use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    ///
    ///     fn owner(&self) -> Option<std::borrow::Cow<'_, str>> {
    ///         Some(self.id.as_str().into())
    ///     }
    /// }
    ///
    /// #[post("/log-out-everywhere-else")]
    /// async fn elsewhere(session: Session<User>, sessions: &Sessions) -> Result<Status, SessionError> {
    ///     sessions.of::<User>().revoke_others(&session).await?;
    ///     Ok(Status::NoContent)
    /// }
    /// ```
    pub fn of<T: SessionData>(&self) -> SessionManager<'_, T> {
        SessionManager { core: &self.core, here: self.here.as_deref(), data: PhantomData }
    }

    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, here: None }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.core.definitions.keys()).finish()
    }
}

/// Lists and ends sessions of type `T` from outside. Made by [`Sessions::of`].
///
/// Sessions on the client can be ended from outside only where `revocation` is
/// configured; otherwise the methods fail with [`SessionError::Unsupported`].
///
/// Made by the guard `&Sessions`, it knows the request's own sessions: one that
/// it ends is over for the rest of the request, and its client is told to
/// forget its token.
pub struct SessionManager<'a, T> {
    core: &'a Core,
    /// The request's own sessions.
    here: Option<&'a Entries>,
    data: PhantomData<fn() -> T>,
}

impl<T: SessionData> SessionManager<'_, T> {
    /// Ends every session of an owner, on all nodes. Says how many there were
    /// on the server; sessions on the client are not counted.
    pub async fn revoke_owner(&self, owner: &str) -> Result<usize, SessionError> {
        let definition = self.definition()?;
        let owner = definition.namespace.owner(owner);
        let now = self.core.clock.now();
        let ended = async {
            Ok(match &definition.tracker {
                Tracker::ById(tracker) => end_all(&tracker.server, &owner, &[], now).await?,
                Tracker::ByValue(tracker) => {
                    let revocation = tracker.revocation.as_ref();
                    revocation.ok_or(NO_REVOCATION)?.next_epoch(&owner, now).await?;
                    0
                }
            })
        };
        let ended = self.within(definition, ended).await?;
        self.revoked(definition, &Ended::OfOwner(owner));
        Ok(ended)
    }

    /// Ends every other session of this session's owner. Saves the session
    /// first; a session on the client gets a new token with the response.
    ///
    /// [`SessionError::Ended`] if the session itself, or its owner, was ended
    /// meanwhile.
    pub async fn revoke_others(&self, session: &Session<T>) -> Result<usize, SessionError> {
        let definition = self.definition()?;
        session.save().await?;
        let entry = session.entry();
        if session.get().is_none() {
            return Err(SessionError::Ended);
        }
        let Some((owner, key)) = entry.owner_and_key() else {
            return Err(SessionError::Unsupported("the session has no owner"));
        };
        let ended = match &definition.tracker {
            Tracker::ById(tracker) => {
                let others = self.end_others(&tracker.server, &owner, key.as_slice());
                self.within(definition, others).await?
            }
            Tracker::ByValue(tracker) => {
                let revocation = tracker.revocation.as_ref().ok_or(NO_REVOCATION)?;
                if entry.is_closed() {
                    return Err(SessionError::TooLate);
                }
                // The next epoch after the session's own: if the owner was revoked
                // meanwhile, the session is over and goes on in none.
                let now = self.core.clock.now();
                let next = revocation.epoch_after(entry.epoch(), &owner, now);
                let next = self.within(definition, next).await?.ok_or(SessionError::Ended)?;
                entry.ask(|state, _| state.pending.epoch = Some(next));
                // At once: should the handler fail, the caller still keeps a session.
                session.save().await?;
                0
            }
        };
        self.core.emit(SessionEventKind::Revoked, definition);
        Ok(ended)
    }

    /// Ends an owner's records but `except`, which must live.
    async fn end_others(
        &self,
        server: &Server,
        owner: &OwnerKey,
        except: &[StorageKey],
    ) -> Result<usize, SessionError> {
        let now = self.core.clock.now();
        let ended = end_all(server, owner, except, now).await?;
        for own in except {
            if server.storage.read(own, now).await?.is_none() {
                return Err(SessionError::Ended);
            }
        }
        Ok(ended)
    }

    /// An owner's sessions on the server, the oldest first: a list of devices.
    pub async fn list(&self, owner: &str) -> Result<Vec<SessionInfo<T>>, SessionError> {
        let (definition, ById { server, .. }) = self.on_server()?;
        let owner = definition.namespace.owner(owner);
        let now = self.core.clock.now();
        let found = by_id::list(definition, server, &owner, now);
        let found = self.within(definition, found).await?.into_iter();
        let mut sessions: Vec<_> = found
            .filter_map(|Listed { key, times, content, client, .. }| {
                let time = |time: Timestamp| time.to_system_time().unwrap_or(UNIX_EPOCH);
                Some(SessionInfo {
                    handle: SessionHandle::of(&key),
                    value: definition.codec.decode(&content)?,
                    created: time(times.created),
                    last_seen: time(times.seen),
                    expires: time(definition.policy.lifetime.expires(&times)),
                    client: ClientInfo::decode(&client),
                })
            })
            .collect();
        sessions.sort_by_key(|session| session.created);
        Ok(sessions)
    }

    /// Ends one of an owner's sessions, by its handle from [`list`](Self::list).
    /// The owner is required, so that a list of devices cannot be turned
    /// against others. Says whether there was such a session.
    pub async fn revoke(&self, owner: &str, handle: &SessionHandle) -> Result<bool, SessionError> {
        let (definition, tracker) = self.on_server()?;
        let server = &tracker.server;
        let owner = definition.namespace.owner(owner);
        let now = self.core.clock.now();
        let ended = async {
            let found = by_id::list(definition, server, &owner, now).await?;
            let named = |listed: &by_id::Listed| SessionHandle::of(&listed.key) == *handle;
            let Some(found) = found.into_iter().find(named) else { return Ok(None) };
            let place = (&found.key, Some(found.version));
            let ending = tracker.end(definition, &*server.storage, place, now).await?;
            Ok(matches!(ending, Ending::Ended).then_some(found.key))
        };
        let ended = self.within(definition, ended).await?;
        let was_there = ended.is_some();
        if let Some(key) = ended {
            self.revoked(definition, &Ended::Record(key));
        }
        Ok(was_there)
    }

    /// Ends the session with this id, whosever it is: Ktor's `clear(id)`. Says
    /// whether there was one.
    pub async fn revoke_id(&self, id: &SessionId) -> Result<bool, SessionError> {
        let (definition, tracker) = self.on_server()?;
        let key = definition.namespace.record(&id.locator());
        let storage = tracker.server.storage_of(id);
        let now = self.core.clock.now();
        let ended = async {
            let found = storage.read_fresh(&key, now).await?;
            // Of ids that are not signed, anybody can name one that is nobody's.
            let known = definition.format().is_protected() || found.is_some();
            // What a login has replaced is over already, and goes on saying so.
            let replaced = found.as_ref().is_some_and(|one| by_id::is_replaced(definition, one));
            if !known || replaced {
                return Ok(false);
            }
            let place = (&key, found.map(|found| found.version));
            let ending = tracker.end(definition, &*storage, place, now).await?;
            Ok(matches!(ending, Ending::Ended))
        };
        let ended = self.within(definition, ended).await?;
        if ended {
            self.revoked(definition, &Ended::Record(key));
        }
        Ok(ended)
    }

    fn on_server(&self) -> Result<(&Definition, &ById), SessionError> {
        let definition = self.definition()?;
        match &definition.tracker {
            Tracker::ById(tracker) => Ok((definition, tracker)),
            Tracker::ByValue(_) => Err(SessionError::Unsupported(
                "sessions on the client are neither listed nor ended one by one",
            )),
        }
    }

    fn definition(&self) -> Result<&Arc<Definition>, SessionError> {
        self.core.definition::<T>().map_err(SessionError::Undefined)
    }

    /// Sessions were ended. The request's own may be among them.
    fn revoked(&self, definition: &Definition, what: &Ended) {
        self.core.emit(SessionEventKind::Revoked, definition);
        let name = &definition.namespace.session;
        let here = self.here.into_iter().flat_map(Entries::all);
        for entry in here.filter(|entry| entry.definition().namespace.session == *name) {
            entry.ended_outside(what);
        }
    }

    async fn within<R>(
        &self,
        definition: &Definition,
        work: impl Future<Output = Result<R, SessionError>>,
    ) -> Result<R, SessionError> {
        let done = tokio::time::timeout(definition.storage_timeout, work).await;
        done.unwrap_or_else(|_| Err(too_late()))
    }
}

const NO_REVOCATION: SessionError = SessionError::Unsupported(
    "sessions on the client end from outside only where `revocation` is configured",
);

async fn end_all(
    server: &Server,
    owner: &OwnerKey,
    except: &[StorageKey],
    now: Timestamp,
) -> Result<usize, SessionError> {
    match server.storage.owners() {
        Some(owners) => Ok(owners.invalidate_owner(owner, except, now).await?),
        None => Err(SessionError::Unsupported("the storage has no index of owners")),
    }
}

/// One of an owner's sessions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo<T> {
    /// Names the session to [`SessionManager::revoke`]; safe to show.
    pub handle: SessionHandle,
    /// What the session holds.
    pub value: T,
    /// When it began.
    pub created: SystemTime,
    /// When its client was last seen, as exactly as `touch_after`.
    pub last_seen: SystemTime,
    /// When it ends unless it is used again.
    pub expires: SystemTime,
    /// Who the client says that it is, with `remember_client = true`.
    pub client: Option<ClientInfo>,
}

/// Names one session of an owner: safe to show, and the same for the session's
/// whole life, renewals included. 22 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionHandle(String);

impl SessionHandle {
    fn of(key: &StorageKey) -> Self {
        let hash = Sha256::new().chain_update(b"handle").chain_update(key.as_bytes()).finalize();
        Self(URL_SAFE_NO_PAD.encode(&hash[..16]))
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for SessionHandle {
    /// Reads back what `Display` shows. Anything else names no session.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r Sessions {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, ()> {
        let Some(sessions) = request.rocket().state::<Sessions>() else {
            error!("`&Sessions`: the fairing is not attached.");
            return Outcome::Error((rocket::http::Status::InternalServerError, ()));
        };
        Outcome::Success(request.local_cache(|| Sessions {
            core: Arc::clone(&sessions.core),
            here: Some(Arc::clone(&RequestSessions::of(request).entries)),
        }))
    }
}

impl Sentinel for &Sessions {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let missing = rocket.state::<Sessions>().is_none();
        if missing {
            error!(
                "A route takes `&Sessions`, but the fairing is not attached. Write `.attach(Sessions::fairing())`."
            );
        }
        missing
    }
}
