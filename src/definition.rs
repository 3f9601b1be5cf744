//! One session definition, ready for use. Launch makes it from its table in Rocket.toml and the
//! parts registered on the fairing.

use std::any::TypeId;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::RwLock;
use rocket::warn;

use crate::codec::{Codec, Content};
use crate::config::CsrfSettings;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::event::{SessionEvent, SessionEventKind as Event};
use crate::expiry::{Clock, Times, Timestamp};
use crate::hints::Hints;
use crate::namespace::Namespace;
use crate::plan::Policy;
use crate::storage::OwnerKey;
use crate::token::{SessionId, Tokens};
use crate::transport::{SessionTransport, SizeLimit};

/// A function that is told of every event.
pub(crate) type EventListener = Box<dyn Fn(&SessionEvent) + Send + Sync>;

/// What all sessions of an application need.
pub(crate) struct Core {
    pub clock: Clock,
    pub random: Random,
    pub listeners: Vec<EventListener>,
    /// How often sessions have ended in this process, or got another id.
    pub ends: AtomicU64,
}

/// One session definition.
pub(crate) struct Definition {
    pub namespace: Namespace,
    pub transport: Arc<dyn SessionTransport>,
    pub wire_name: String,
    pub size: SizeLimit,
    /// Encodes and decodes values.
    pub codec: Codec,
    /// Seals and opens tokens. It is replaced when the keys are reloaded.
    pub tokens: RwLock<Arc<Tokens>>,
    /// A storage is written to, for the sessions or for `revocation`. So a commit is final, and
    /// owners matter.
    pub writes: bool,
    pub policy: Policy,
    pub storage_timeout: Duration,
    pub csrf: Arc<CsrfSettings>,
    /// What the requests show to be wrong.
    pub hints: Hints,
    /// The type that uses this definition, and its name.
    pub claimed: OnceLock<(TypeId, &'static str)>,
}

impl Core {
    /// Reports that a session ended while a request changed it, so that the changes are dropped.
    pub fn report_dropped(&self, definition: &Definition) {
        warn!(
            "Session `{}`: a session ended while a request changed it; the changes are dropped.",
            definition.namespace.session
        );
        self.emit(Event::ChangesDropped, definition);
    }

    /// Tells the listeners of an event. A panic in a listener is logged and goes no further.
    pub fn emit(&self, kind: Event, definition: &Definition) {
        if matches!(kind, Event::Ended | Event::Revoked | Event::Renewed) {
            self.ends.fetch_add(1, Ordering::SeqCst);
        }
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
    /// Returns what seals and opens tokens now.
    pub fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.read())
    }

    /// Draws the id of a session that begins.
    pub fn random_id(&self, random: &Random) -> Result<SessionId, SessionError> {
        let ktor = self.tokens().writes_ktor();
        if ktor { SessionId::random_ktor(random) } else { SessionId::random(random) }
    }

    /// Returns the key of an owner, where owners matter.
    pub fn owner(&self, owner: &str) -> Option<OwnerKey> {
        self.writes.then(|| self.namespace.owner(owner))
    }

    /// Returns the key of the owner of a value, where owners matter.
    pub fn value_owner<T: SessionData>(&self, value: &T) -> Option<OwnerKey> {
        self.owner(&value.owner()?)
    }

    /// Whether a session with these times is alive.
    #[inline]
    pub fn admits(&self, times: &Times, now: Timestamp) -> bool {
        let lives = self.policy.timeouts.admits(times, now);
        if !lives {
            self.hints.not_alive(times, now);
        }
        lives
    }

    /// Encodes a value, and checks that the bytes fit and read back as the value. All sessions of a
    /// request are encoded before any is written, so that a failure does not write half of them.
    pub fn encode<T: SessionData>(&self, value: &T) -> Result<Content, SessionError> {
        let encoded = self.codec.encode(value)?;
        let payload = self.codec.transformed(&encoded)?;
        if self.policy.by_value {
            self.check_token(self.tokens().payload_token_len(&payload)?)?;
        }
        let read = self.codec.check(value, &encoded)?;
        let transformed = match payload {
            Cow::Borrowed(_) => None,
            // The bytes that were checked are the ones that are written.
            Cow::Owned(payload) => Some(payload),
        };
        Ok(Content::encoded(encoded, transformed, Some(read).filter(|_| !self.policy.by_value)))
    }

    /// Checks that the transport can carry a token of this length (docs/security.md, S12).
    pub fn check_token(&self, length: usize) -> Result<(), SessionError> {
        if length <= self.size.room() {
            return Ok(());
        }
        let SizeLimit { bytes: limit, overhead } = self.size;
        let size = length + overhead;
        self.hints.too_large(size, limit);
        Err(SessionError::TooLarge { size, limit })
    }
}
