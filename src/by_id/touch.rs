//! Refreshes a session's expiry, and keeps other writes from undoing that.

use std::sync::Arc;

use rocket::warn;
use tokio::time::timeout_at;

use super::find::{Lookup, stands_for};
use super::job::{Job, Progress};
use super::present::read_present;
use super::record::Located;
use crate::deadline::too_late;
use crate::error::SessionError;
use crate::expiry::Times;
use crate::plan::{Plan, Snapshot, Standing};
use crate::storage::{StorageError, Touch};
use crate::tracked::Tracked;

/// What became of a touch.
enum Touched {
    /// The touch is done, or goes on in the background.
    Yes,
    /// The session has ended, or is superseded.
    Gone,
    /// The touch failed, and the application did not ask for it.
    Unknown,
}

impl Job<'_> {
    /// Refreshes the expiry.
    pub(super) async fn touch(
        &self,
        session: &Tracked<Located>,
        times: Times,
        progress: &mut Progress<'_>,
    ) -> Result<(), SessionError> {
        let touched = if self.commit.asked.touch {
            self.touch_as_asked(&session.place, times, progress).await?
        } else {
            self.touch_in_background(&session.place, times).await
        };
        match touched {
            Touched::Yes => {
                let snapshot = Snapshot { times, ..session.snapshot };
                progress.goes_on(Arc::new(Tracked { snapshot, ..session.clone() }), None);
            }
            Touched::Gone => progress.drop_changes(self.commit),
            Touched::Unknown => {}
        }
        Ok(())
    }

    /// Touches the session as the application asked, and tells it of a failure. The record is read
    /// first, because a superseded session still has one.
    async fn touch_as_asked(
        &self,
        at: &Located,
        times: Times,
        progress: &mut Progress<'_>,
    ) -> Result<Touched, SessionError> {
        let (definition, now) = (self.commit.definition, self.commit.moment.now);
        let store = &self.tracker.store;
        let storage = store.storage_for(&at.id);
        let found = read_present(&**storage, &at.key, now).await?;
        let found = found
            .and_then(|record| stands_for(definition, store, &at.id, at.key.clone(), record, now));
        match found.into() {
            Lookup::Session(_) => {}
            Lookup::Superseded(replaced) => {
                progress.sessions.supersede(replaced);
                return Ok(Touched::Gone);
            }
            Lookup::Nobody => return Ok(Touched::Gone),
        }
        let expires = definition.policy.timeouts.expires(&times);
        match storage.touch(&at.key, times.seen, expires).await {
            Ok(Touch::Touched) => Ok(Touched::Yes),
            // A corrupt record counts as absent.
            Ok(Touch::Missing) | Err(StorageError::Corrupt(_)) => Ok(Touched::Gone),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Touches the session in the background, because its expiry is due. A failure is only logged,
    /// since nothing that the client asked for is lost.
    async fn touch_in_background(&self, at: &Located, times: Times) -> Touched {
        let refreshed = self.without_waiting(self.refresh(at, times)).await;
        if refreshed == Some(false) { Touched::Unknown } else { Touched::Yes }
    }

    /// Whether this plan may undo a use by another request: it writes the time of the last use as it
    /// was found, and a touch, which changes no version, may have moved it since.
    pub(super) fn may_undo_a_use(&self, plan: Plan, session: &Tracked<Located>) -> bool {
        let found = session.snapshot.times;
        let stays = plan.times(None).is_some_and(|times| times.seen == found.seen);
        // Before a touch is due, the loss is within the interval that is added to every expiry.
        stays && self.commit.definition.policy.timeouts.touch_due(&found, self.commit.moment.now)
    }

    /// Reads the record again before a write that [may undo a use](Self::may_undo_a_use), and makes
    /// the plan anew. A touch between this read and the write is still lost.
    pub(super) async fn as_last_seen(
        &self,
        plan: Plan,
        session: Arc<Tracked<Located>>,
    ) -> Result<(Plan, Arc<Tracked<Located>>), SessionError> {
        let (commit, found, now) = (self.commit, session.snapshot.times, self.commit.moment.now);
        let storage = self.tracker.store.storage_for(&session.place.id);
        let record = read_present(&**storage, &session.place.key, now).await?;
        let Some(record) = record.filter(|record| record.version == session.place.version) else {
            return Ok((plan, session));
        };
        let times = Times { seen: found.seen.max(record.last_seen), ..found };
        let snapshot = Snapshot { times, ..session.snapshot };
        let session = Arc::new(Tracked { snapshot, ..Tracked::clone(&session) });
        let (standing, content) = (Standing::Session(&session.snapshot), Some(&session.content));
        Ok((commit.plan_for(standing, content, commit.next.as_ref()), session))
    }

    /// Sends the new times. Returns whether the storage has accepted them.
    fn refresh(
        &self,
        located: &Located,
        times: Times,
    ) -> impl Future<Output = bool> + Send + 'static {
        let definition = self.commit.definition;
        let storage = self.tracker.store.storage_for(&located.id).into_owned();
        let key = located.key.clone();
        let expires = definition.policy.timeouts.expires(&times);
        let (deadline, name) = (self.commit.deadline.at(), definition.namespace.session.clone());
        async move {
            let touched = timeout_at(deadline, storage.touch(&key, times.seen, expires)).await;
            let touched = touched.map_err(|_| too_late());
            match touched.and_then(|touched| touched.map_err(SessionError::from)) {
                Ok(touched) => touched == Touch::Touched,
                Err(cause) => {
                    warn!(
                        "Session `{name}`: the expiry of a session could not be refreshed: {cause}."
                    );
                    false
                }
            }
        }
    }
}
