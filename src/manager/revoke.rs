//! Ends sessions of an owner, or one session by its id.

use std::any::type_name;
use std::borrow::Cow;

use super::SessionManager;
use crate::application::Tracker;
use crate::by_id::{self, EndOutcome, RecordStore};
use crate::data::SessionData;
use crate::error::SessionError;
use crate::event::SessionEventKind;
use crate::handle::SessionHandle;
use crate::hints::implement_owner;
use crate::request::committable::{Committable as _, Ended};
use crate::session::Session;
use crate::storage::{OwnerKey, StorageKey, Timestamp};
use crate::token::SessionId;

impl<T: SessionData> SessionManager<'_, T> {
    /// Ends every session of an owner, on every node. Returns how many live
    /// sessions on the server it ended. Sessions on the client are not counted.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user";
    /// #     fn owner(&self) -> Option<std::borrow::Cow<'_, str>> { Some(self.id.as_str().into()) } }
    /// #[rocket::post("/log-out-everywhere")]
    /// async fn everywhere(session: Session<User>, sessions: &Sessions) -> Result<String, SessionError> {
    ///     let user = session.get().ok_or(SessionError::Ended)?;
    ///     let ended = sessions.of::<User>().revoke_owner(&user.id).await?;
    ///     Ok(format!("You have been logged out on {ended} device(s)."))
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![everywhere]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let ann = User { id: "ann".into() };
    /// let page = client.post("/log-out-everywhere").session(&ann).dispatch().into_string();
    /// assert_eq!(page.as_deref(), Some("You have been logged out on 1 device(s)."));
    /// ```
    pub async fn revoke_owner(&self, owner: &str) -> Result<usize, SessionError> {
        let definition = self.definition()?;
        let owner = definition.namespace.owner(owner);
        let now = self.application.core.clock.now();
        let ended = async {
            Ok(match &definition.tracker {
                Tracker::ById(tracker) => end_all(&tracker.store, &owner, &[], now).await?,
                Tracker::ByValue(tracker) => {
                    let revocation = tracker.revocation.as_ref();
                    revocation.ok_or(NO_REVOCATION)?.next_epoch(&owner, now).await?;
                    0
                }
            })
        };
        let ended = self.within(definition, ended).await?;
        if ended == 0 {
            definition.hints.owner_had_none(type_name::<T>());
        }
        self.revoked(definition, &Ended::OfOwner(owner));
        Ok(ended)
    }

    /// Ends every session of this session's owner except this one. Returns how many
    /// live sessions on the server it ended. It saves the session first. With
    /// client storage the response carries a new token.
    ///
    /// Do not call it in the request that logs in: it would save the login first.
    ///
    /// # Errors
    ///
    /// - [`SessionError::Ended`] if the session or its owner was revoked in the
    ///   meantime.
    /// - [`SessionError::Unsupported`] if the session has no owner.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user";
    /// #     fn owner(&self) -> Option<std::borrow::Cow<'_, str>> { Some(self.id.as_str().into()) } }
    /// /// Whoever knows the old password is logged out.
    /// #[rocket::post("/password")]
    /// async fn change(session: Session<User>, sessions: &Sessions) -> Result<String, SessionError> {
    ///     // … store the new password, and then:
    ///     let ended = sessions.of::<User>().revoke_others(&session).await?;
    ///     Ok(format!("{ended} other device(s) have been logged out."))
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![change]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let page = client.post("/password").session(&User { id: "ann".into() }).dispatch().into_string();
    /// assert_eq!(page.as_deref(), Some("0 other device(s) have been logged out."));
    /// ```
    pub async fn revoke_others(&self, session: &Session<T>) -> Result<usize, SessionError> {
        let definition = self.definition()?;
        session.save().await?;
        let entry = session.entry();
        let value = session.get().ok_or(SessionError::Ended)?;
        if value.owner().is_none() {
            return Err(no_owner::<T>());
        }
        // Owners do not matter where nothing remembers which sessions have ended.
        let (owner, key) = entry.owner_and_key().ok_or(NO_REVOCATION)?;
        let ended = match &definition.tracker {
            Tracker::ById(tracker) => {
                let others = self.end_others(&tracker.store, &owner, key.as_slice());
                self.within(definition, others).await?
            }
            Tracker::ByValue(tracker) => {
                let revocation = tracker.revocation.as_ref().ok_or(NO_REVOCATION)?;
                if entry.is_closed() {
                    return Err(SessionError::TooLate);
                }
                // The new epoch must follow the session's own. If the owner was revoked in
                // the meantime, the session has ended and gets no later epoch.
                let now = self.application.core.clock.now();
                let next = revocation.epoch_after(entry.epoch(), &owner, now);
                let next = self.within(definition, next).await?.ok_or(SessionError::Ended)?;
                entry.ask(|state, _| state.pending.epoch = Some(next));
                // The token in the new epoch is committed now, so that the caller keeps a
                // session even if the handler fails.
                session.save().await?;
                0
            }
        };
        self.application.core.emit(SessionEventKind::Revoked, definition);
        Ok(ended)
    }

    /// Ends an owner's sessions except `except`. Fails with `Ended` if one of those has ended.
    async fn end_others(
        &self,
        store: &RecordStore,
        owner: &OwnerKey,
        except: &[StorageKey],
    ) -> Result<usize, SessionError> {
        let now = self.application.core.clock.now();
        let ended = end_all(store, owner, except, now).await?;
        for own in except {
            if store.storage.read(own, now).await?.is_none() {
                return Err(SessionError::Ended);
            }
        }
        Ok(ended)
    }

    /// Ends one of an owner's sessions, by its handle from [`list`](Self::list).
    /// Returns whether there was such a session. The owner is required, so that
    /// a user cannot end another user's session by its handle.
    ///
    /// ```
    /// # use rocket::{delete, http::Status};
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user";
    /// #     fn owner(&self) -> Option<std::borrow::Cow<'_, str>> { Some(self.id.as_str().into()) } }
    /// #[delete("/devices/<handle>")]
    /// async fn log_out(
    ///     session: Session<User>,
    ///     sessions: &Sessions,
    ///     handle: &str,
    /// ) -> Result<Status, SessionError> {
    ///     let user = session.get().ok_or(SessionError::Ended)?;
    ///     let was_there = sessions.of::<User>().revoke(&user.id, &handle.into()).await?;
    ///     Ok(if was_there { Status::NoContent } else { Status::NotFound })
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![log_out]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let request = client.delete("/devices/of-another-user").session(&User { id: "ann".into() });
    /// assert_eq!(request.dispatch().status(), Status::NotFound);
    /// ```
    pub async fn revoke(&self, owner: &str, handle: &SessionHandle) -> Result<bool, SessionError> {
        let (definition, tracker) = self.on_server()?;
        let store = &tracker.store;
        let owner = definition.namespace.owner(owner);
        let now = self.application.core.clock.now();
        let ended = async {
            let found = by_id::list(definition, store, &owner, now).await?;
            let named = |listed: &by_id::Listed| SessionHandle::new(&listed.key) == *handle;
            let Some(found) = found.into_iter().find(named) else { return Ok(None) };
            let place = (&found.key, Some(found.version));
            let ending = tracker.end(definition, &*store.storage, place, now).await?;
            Ok(matches!(ending, EndOutcome::Ended).then_some(found.key))
        };
        let ended = self.within(definition, ended).await?;
        let was_there = ended.is_some();
        if let Some(key) = ended {
            self.revoked(definition, &Ended::Record(key));
        }
        Ok(was_there)
    }

    /// Ends the session with this id, whoever owns it. Returns whether there was
    /// one. It corresponds to Ktor's `clear(id)`.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// /// The identity provider reports a logout; the application has kept the session's id.
    /// #[rocket::post("/logged-out-elsewhere", data = "<id>")]
    /// async fn ended(sessions: &Sessions, id: String) -> Result<String, SessionError> {
    ///     let Ok(id) = id.parse() else { return Ok("no id".into()) };
    ///     Ok(sessions.of::<User>().revoke_id(&id).await?.to_string())
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # #[rocket::get("/id")]
    /// # fn id(session: Session<User>) -> Option<String> { Some(session.id()?.to_text()) }
    /// # let routes = rocket::routes![ended, id];
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    /// # let id = client.get("/id").session(&User { id: 7 }).dispatch().into_string().unwrap();
    ///
    /// let post = |id: &str| client.post("/logged-out-elsewhere").body(id).dispatch().into_string();
    /// assert_eq!(post(&id).as_deref(), Some("true"));
    /// assert_eq!(post(&id).as_deref(), Some("false")); // it has ended already
    /// ```
    pub async fn revoke_id(&self, id: &SessionId) -> Result<bool, SessionError> {
        let (definition, tracker) = self.on_server()?;
        let key = definition.namespace.record(&id.locator());
        let storage = tracker.store.storage_for(id);
        let now = self.application.core.clock.now();
        let ended = async {
            let found = storage.read_fresh(&key, now).await?;
            // Anyone can make up an unprotected id. Without a record it names no session.
            let known = definition.tokens().is_protected() || found.is_some();
            // A record that a login has replaced has ended, and stays for late requests.
            let replaced = found.as_ref().is_some_and(|one| by_id::is_replaced(definition, one));
            if !known || replaced {
                return Ok(false);
            }
            let place = (&key, found.map(|found| found.version));
            let ending = tracker.end(definition, &**storage, place, now).await?;
            Ok(matches!(ending, EndOutcome::Ended))
        };
        let ended = self.within(definition, ended).await?;
        if ended {
            self.revoked(definition, &Ended::Record(key));
        }
        Ok(ended)
    }
}

const NO_REVOCATION: SessionError = SessionError::Unsupported(Cow::Borrowed(
    "sessions on the client can be revoked only where `revocation` is configured",
));

fn no_owner<T: SessionData>() -> SessionError {
    let of = type_name::<T>();
    let message = format!("a session of `{of}` has no owner. {}", implement_owner(of));
    SessionError::Unsupported(message.into())
}

async fn end_all(
    store: &RecordStore,
    owner: &OwnerKey,
    except: &[StorageKey],
    now: Timestamp,
) -> Result<usize, SessionError> {
    match store.storage.owners() {
        Some(owners) => Ok(owners.invalidate_owner(owner, except, now).await?),
        None => Err(SessionError::Unsupported("the storage has no index of owners".into())),
    }
}
