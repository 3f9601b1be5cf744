//! One session definition, ready for use: what its table in Rocket.toml and
//! the parts registered on the fairing amount to.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use rocket::warn;
use tokio::time::Instant;

use crate::by_id::ById;
use crate::by_value::ByValue;
use crate::codec::Codec;
use crate::config::CsrfConfig;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::event::{SessionEvent, SessionEventKind};
use crate::expiry::Clock;
use crate::namespace::{Namespace, valid_session_name};
use crate::request::plan::Policy;
use crate::request::tracked::{Content, Kind, Sessions};
use crate::storage::{OwnerKey, SessionStorage};
use crate::token::{Format, SessionId};
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
    /// Requests whose sessions the response fairings must look for. While there
    /// is none, they need not look into a request's cache, which would allocate:
    /// routes without sessions cost nothing.
    pub awaited: AtomicUsize,
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
    pub pace: Pace,
}

/// When the keys are read again, and when those of launch may seal.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub every: Duration,
    /// When they were read for launch.
    pub read: Instant,
    /// When every node has read them.
    pub all_know: Instant,
}

/// One session definition.
pub(crate) struct Definition {
    pub namespace: Namespace,
    pub transport: Arc<dyn SessionTransport>,
    pub wire_name: String,
    pub size: SizeLimit,
    /// How values become bytes.
    pub codec: Codec,
    /// What seals and opens tokens; replaced when the keys are reloaded.
    pub format: RwLock<Arc<Format>>,
    pub tracker: Tracker,
    pub policy: Policy,
    pub storage_timeout: Duration,
    pub csrf: Arc<CsrfConfig>,
    pub claimed: OnceLock<(TypeId, &'static str)>,
}

/// How sessions are tracked.
pub(crate) enum Tracker {
    /// The client carries the payload.
    ByValue(Arc<ByValue>),
    /// The client carries an id, and a storage keeps the payload.
    ById(Arc<ById>),
}

impl Tracker {
    /// No session.
    pub fn nothing(&self) -> Kind {
        match self {
            Self::ByValue(tracker) => Kind::ByValue(Arc::clone(tracker), Sessions::default()),
            Self::ById(tracker) => Kind::ById(Arc::clone(tracker), Sessions::default()),
        }
    }

    /// Whether what a commit sends is final: something was written for it.
    pub fn writes(&self) -> bool {
        match self {
            Self::ByValue(tracker) => tracker.revocation.is_some(),
            Self::ById(_) => true,
        }
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
        if !valid_session_name(name) {
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
            definition.namespace.session
        );
        self.emit(SessionEventKind::ChangesDropped, definition);
    }

    /// Tells the listeners; a panic in one is logged and reaches nobody.
    pub fn emit(&self, kind: SessionEventKind, definition: &Definition) {
        if self.listeners.is_empty() {
            return;
        }
        let event = SessionEvent { kind, session: definition.namespace.session.clone() };
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

    /// The id of a session that begins.
    pub fn random_id(&self, random: &Random) -> Result<SessionId, SessionError> {
        let ktor = self.format().writes_ktor();
        if ktor { SessionId::random_ktor(random) } else { SessionId::random(random) }
    }

    /// The name of an owner, where owners matter.
    pub fn owner(&self, owner: &str) -> Option<OwnerKey> {
        self.tracker.writes().then(|| self.namespace.owner(owner))
    }

    /// Whose session a value makes it.
    pub fn owner_of<T: SessionData>(&self, value: &T) -> Option<OwnerKey> {
        self.owner(&value.owner()?)
    }

    /// The bytes to write, checked: they fit, and they read back as the value.
    /// Encoding all sessions before any is written keeps a failure from writing
    /// half of them.
    pub fn encode<T: SessionData>(&self, value: &T) -> Result<Content, SessionError> {
        let content = self.codec.encode(value)?;
        let payload = self.codec.payload(&content)?;
        if let Tracker::ByValue(_) = self.tracker {
            self.check_token(self.format().payload_token_len(&payload)?)?;
        }
        self.codec.check(value, &content)?;
        Ok(match payload {
            Cow::Borrowed(_) => content,
            // What is written is what was checked.
            Cow::Owned(payload) => content.transformed(payload),
        })
    }

    /// Whether the transport can carry the token (checklist S12).
    pub fn check_token(&self, length: usize) -> Result<(), SessionError> {
        if length <= self.size.room() {
            return Ok(());
        }
        let SizeLimit { bytes: limit, overhead } = self.size;
        Err(SessionError::TooLarge { size: length + overhead, limit })
    }
}
