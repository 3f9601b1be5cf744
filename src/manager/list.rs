//! [`SessionManager::list`]: what a page of devices shows, and in which order.

use std::any::type_name;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::{SessionInfo, SessionManager};
use crate::by_id::{self, ById, Listed};
use crate::client::ClientInfo;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::handle::SessionHandle;
use crate::storage::Timestamp;

impl<T: SessionData> SessionManager<'_, T> {
    /// Returns an owner's sessions on the server, oldest first, for a page of
    /// devices.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user";
    /// #     fn owner(&self) -> Option<std::borrow::Cow<'_, str>> { Some(self.id.as_str().into()) } }
    /// #[rocket::get("/devices")]
    /// async fn devices(session: Session<User>, sessions: &Sessions) -> Result<String, SessionError> {
    ///     let user = session.get().ok_or(SessionError::Ended)?;
    ///     let devices = sessions.of::<User>().list(&user.id).await?.into_iter();
    ///     let lines = devices.map(|device| format!("{} {:?}\n", device.handle, device.created_at));
    ///     Ok(lines.collect())
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![devices]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let page = client.get("/devices").session(&User { id: "ann".into() }).dispatch().into_string();
    /// assert_eq!(page.map(|page| page.lines().count()), Some(1));
    /// ```
    pub async fn list(&self, owner: &str) -> Result<Vec<SessionInfo<T>>, SessionError> {
        let (definition, ById { store, .. }) = self.on_server()?;
        let owner = definition.namespace.owner(owner);
        let now = self.application.core.clock.now();
        let found = by_id::list(definition, store, &owner, now);
        let found = self.within(definition, found).await?;
        if found.is_empty() {
            definition.hints.owner_had_none(type_name::<T>());
        }
        let mut sessions: Vec<_> = found
            .into_iter()
            .filter_map(|Listed { key, times, content, client, .. }| {
                let time = |time: Timestamp| time.to_system_time().unwrap_or(UNIX_EPOCH);
                Some(SessionInfo {
                    handle: SessionHandle::new(&key),
                    value: Arc::unwrap_or_clone(definition.codec.decode(&content)?),
                    created_at: time(times.created),
                    last_seen_at: time(times.seen),
                    expires_at: time(definition.policy.timeouts.expires(&times)),
                    client: ClientInfo::decode(&client),
                })
            })
            .collect();
        sessions.sort_by_key(|session| session.created_at);
        Ok(sessions)
    }
}
