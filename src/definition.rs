//! One session definition, ready for use: what its table in Rocket.toml and
//! the parts registered on the fairing amount to.

use std::any::TypeId;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use rocket::warn;

use crate::codec::Codec;
use crate::codec::Content;
use crate::config::CsrfConfig;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::event::{SessionEvent, SessionEventKind};
use crate::expiry::Clock;
use crate::namespace::Namespace;
use crate::plan::Policy;
use crate::storage::OwnerKey;
use crate::token::{SessionId, Tokens};
use crate::transport::{SessionTransport, SizeLimit};

/// Told of every event.
pub(crate) type EventListener = Box<dyn Fn(&SessionEvent) + Send + Sync>;

/// What every session of an application needs.
pub(crate) struct Core {
    pub clock: Clock,
    pub random: Random,
    pub listeners: Vec<EventListener>,
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
    pub tokens: RwLock<Arc<Tokens>>,
    /// Something is written for every commit, so that what it sends is final.
    pub writes: bool,
    pub policy: Policy,
    pub storage_timeout: Duration,
    pub csrf: Arc<CsrfConfig>,
    pub claimed: OnceLock<(TypeId, &'static str)>,
}

impl Core {
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
    pub fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.read())
    }

    /// The id of a session that begins.
    pub fn random_id(&self, random: &Random) -> Result<SessionId, SessionError> {
        let ktor = self.tokens().writes_ktor();
        if ktor { SessionId::random_ktor(random) } else { SessionId::random(random) }
    }

    /// The name of an owner, where owners matter.
    pub fn owner(&self, owner: &str) -> Option<OwnerKey> {
        self.writes.then(|| self.namespace.owner(owner))
    }

    /// Whose session a value makes it.
    pub fn value_owner<T: SessionData>(&self, value: &T) -> Option<OwnerKey> {
        self.owner(&value.owner()?)
    }

    /// The bytes to write, checked: they fit, and they read back as the value.
    /// Encoding all sessions before any is written keeps a failure from writing
    /// half of them.
    pub fn encode<T: SessionData>(&self, value: &T) -> Result<Content, SessionError> {
        let content = self.codec.encode(value)?;
        let payload = self.codec.payload(&content)?;
        if self.policy.by_value {
            self.check_token(self.tokens().payload_token_len(&payload)?)?;
        }
        self.codec.check(value, &content)?;
        Ok(match payload {
            Cow::Borrowed(_) => content,
            // What is written is what was checked.
            Cow::Owned(payload) => content.with_payload(payload),
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
