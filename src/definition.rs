//! One session definition, ready for use: what its table in Rocket.toml and
//! the parts registered on the fairing amount to.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rocket::{Request, warn};

use crate::SessionData;
use crate::error::{EncodeError, SessionError};
use crate::event::{SessionEvent, SessionEventKind};
use crate::expiry::{Clock, Lifetime};
use crate::ktor::Serializer;
use crate::random::Random;
use crate::revocation::Revocation;
use crate::storage::{KeyedLocks, KtorDirectory, OwnerLimit, SessionStorage, StorageKey};
use crate::token::{Format, SessionId};
use crate::transformer::SessionTransformer;
use crate::transport::{SessionTransport, SizeLimit};

/// Told of every event.
pub(crate) type Listener = Box<dyn Fn(&SessionEvent) + Send + Sync>;

/// All definitions of an application and what they share.
pub(crate) struct Core {
    pub definitions: HashMap<String, Arc<Definition>>,
    /// One for each storage table, for purging.
    pub storages: Vec<Arc<dyn SessionStorage>>,
    pub clock: Clock,
    pub random: Random,
    pub listeners: Vec<Listener>,
    pub reloads: Vec<Reload>,
    pub report: Report,
    /// Session entries that are alive in any request. While there is none, the
    /// response fairing need not look into a request's cache, which would
    /// allocate: routes without sessions cost nothing.
    pub entries: AtomicUsize,
}

/// What launch has to say. It is logged at liftoff: before, Rocket does not yet
/// heed `log_level`.
pub(crate) struct Report {
    pub warnings: Vec<String>,
    pub summary: Vec<String>,
}

/// A definition whose keys are read again from their files now and then.
pub(crate) struct Reload {
    pub definition: Arc<Definition>,
    pub every: Duration,
}

/// One session definition.
pub(crate) struct Definition {
    pub name: String,
    pub app: String,
    pub transport: Arc<dyn SessionTransport>,
    pub wire_name: String,
    pub size: SizeLimit,
    /// How values become bytes.
    pub serializer: Serializer,
    /// What seals and opens tokens; replaced when the keys are reloaded.
    pub format: RwLock<Arc<Format>>,
    /// `None` keeps the payload on the client.
    pub server: Option<Server>,
    /// How many sessions an owner may have.
    pub owner_limit: Option<OwnerLimit>,
    /// Remembers ended client sessions.
    pub revocation: Option<Revocation>,
    pub lifetime: Lifetime,
    /// The client forgets its token before the session's absolute end, so
    /// that refreshing the session means sending the token again.
    pub token_expires_early: bool,
    pub max_payload: usize,
    pub storage_timeout: Duration,
    pub remember_client: bool,
    pub transformers: Vec<Arc<dyn SessionTransformer>>,
    pub claimed: OnceLock<(TypeId, &'static str)>,
    /// Makes the ids of Ktor sessions that begin, and how short they may be.
    pub identity: Option<(Identity, usize)>,
}

/// What [`SessionsFairing::identity`](crate::SessionsFairing::identity) takes.
pub(crate) type Identity = fn(&Request<'_>) -> String;

/// A storage and what this process knows of its records.
#[derive(Clone)]
pub(crate) struct Server {
    pub storage: Arc<dyn SessionStorage>,
    /// The folder of Ktor's session files, written or accepted.
    pub ktor: Option<KtorDirectory>,
    /// The locks of the records that are being committed.
    pub locks: Arc<KeyedLocks>,
    /// Records that were reported as unreadable.
    pub reported: Arc<Mutex<HashSet<StorageKey>>>,
}

/// Unreadable records that are remembered, so that each is reported once.
const MAX_REPORTED: usize = 1000;

impl Server {
    pub fn new(storage: Arc<dyn SessionStorage>) -> Self {
        Self { storage, ktor: None, locks: Arc::default(), reported: Arc::default() }
    }

    /// Where the session with this id is kept: Ktor's are files of their own,
    /// if there is a folder for them.
    pub fn storage_of(&self, id: &SessionId) -> Arc<dyn SessionStorage> {
        match (&self.ktor, id.as_ktor()) {
            (Some(files), Some(id)) => Arc::new(files.file(Arc::clone(id))),
            _ => Arc::clone(&self.storage),
        }
    }

    /// Whether the session with this id is a file of Ktor's, which holds the
    /// value and nothing of ours.
    pub fn is_file(&self, id: &SessionId) -> bool {
        self.ktor.is_some() && id.as_ktor().is_some()
    }

    /// Whether to report this record, its client will come back with every request.
    pub fn report_once(&self, key: &StorageKey) -> bool {
        let mut reported = self.reported.lock();
        reported.len() < MAX_REPORTED && reported.insert(key.clone())
    }
}

impl Core {
    /// The definition of `T`; the error's text says what to write.
    pub fn definition<T: SessionData>(&self) -> Result<&Arc<Definition>, String> {
        let type_name = std::any::type_name::<T>();
        let Some(definition) = self.definitions.get(T::NAME) else {
            return Err(self.undefined(type_name, T::NAME));
        };
        let (claimed_by, claimed_name) =
            definition.claimed.get_or_init(|| (TypeId::of::<T>(), type_name));
        if *claimed_by == TypeId::of::<T>() {
            return Ok(definition);
        }
        Err(format!(
            "`{type_name}` and `{claimed_name}` have the same `SessionData::NAME`, {:?}: give each its own",
            T::NAME
        ))
    }

    fn undefined(&self, type_name: &str, name: &str) -> String {
        if !crate::config::valid_session_name(name) {
            return format!(
                "`{type_name}` has the `SessionData::NAME` {name:?}; write a lower-case name like \"user_session\", other than `secret` and `app`"
            );
        }
        let mut names: Vec<_> = self.definitions.keys().map(String::as_str).collect();
        names.sort_unstable();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!(
            "`Session<{type_name}>` has no definition; defined are: {known}. Write in Rocket.toml:\n    [default.sessions.{name}]\n    cookie = {{ path = \"/\" }}"
        )
    }

    /// A session ended while a request changed it.
    pub fn report_dropped(&self, definition: &Definition) {
        warn!(
            "Session `{}`: a session ended while a request changed it; the changes are dropped.",
            definition.name
        );
        self.emit(SessionEventKind::ChangesDropped, definition);
    }

    /// Tells the listeners; a panic in one is logged and reaches nobody.
    pub fn emit(&self, kind: SessionEventKind, definition: &Definition) {
        if self.listeners.is_empty() {
            return;
        }
        let event = SessionEvent { kind, session: definition.name.clone() };
        for listener in &self.listeners {
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| listener(&event)));
            if told.is_err() {
                rocket::error!("A session event listener panicked.");
            }
        }
    }
}

impl Definition {
    /// What seals and opens tokens now.
    pub fn format(&self) -> Arc<Format> {
        Arc::clone(&self.format.read())
    }

    /// The id that the application gives to a session that begins in this request.
    pub fn identity_of(&self, request: &Request<'_>) -> Option<Result<SessionId, SessionError>> {
        let (identity, least) = self.identity?;
        let made = std::panic::catch_unwind(AssertUnwindSafe(|| identity(request)));
        let id = made.ok().filter(|id| id.len() >= least).and_then(|id| SessionId::ktor(&id).ok());
        let message = "`identity` panicked, or made an id that is too short or not one of Ktor's";
        Some(id.ok_or_else(|| SessionError::Encode(EncodeError::new(message))))
    }

    /// The id of a session that begins.
    pub fn random_id(&self, random: &Random) -> Result<SessionId, SessionError> {
        let ktor = self.format().writes_ktor();
        if ktor { SessionId::random_ktor(random) } else { SessionId::random(random) }
    }

    /// Whether what a commit sends is final: something was written for it.
    pub fn writes(&self) -> bool {
        self.server.is_some() || self.revocation.is_some()
    }

    /// Undoes the transformers; a failure is an absent session and one warning.
    pub fn transform_read(&self, mut payload: Vec<u8>) -> Option<Vec<u8>> {
        for transformer in self.transformers.iter().rev() {
            let Ok(read) = transformer.read(payload) else {
                warn!(
                    "Session `{}`: a transformer could not read a payload; it counts as absent.",
                    self.name
                );
                return None;
            };
            payload = read;
        }
        Some(payload)
    }

    /// Applies the transformers.
    pub fn transform_write<'a>(
        &self,
        content: &'a [u8],
    ) -> Result<std::borrow::Cow<'a, [u8]>, SessionError> {
        let mut payload = std::borrow::Cow::Borrowed(content);
        for transformer in &self.transformers {
            let written = transformer.write(payload.into_owned());
            payload = written
                .map_err(|cause| {
                    SessionError::Encode(EncodeError::caused_by("a transformer failed", cause))
                })?
                .into();
        }
        Ok(payload)
    }

    pub fn check_payload(&self, size: usize) -> Result<(), SessionError> {
        let limit = self.max_payload;
        if size <= limit { Ok(()) } else { Err(SessionError::TooLarge { size, limit }) }
    }

    /// Whether the transport can carry the token (checklist S12).
    pub fn check_token(&self, length: usize) -> Result<(), SessionError> {
        let SizeLimit { bytes: limit, overhead } = self.size;
        let size = length + overhead;
        if size <= limit { Ok(()) } else { Err(SessionError::TooLarge { size, limit }) }
    }
}
