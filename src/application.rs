//! The definitions of an application, which launch makes from Rocket.toml and the parts registered
//! on the fairing.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::error;
use tokio::time::Instant;

use crate::awaited::Awaited;
use crate::by_id::ById;
use crate::by_value::ByValue;
use crate::config::{Undefined, valid_session_name};
use crate::data::SessionData;
use crate::definition::{Core, Definition};
use crate::route_uses::RouteUses;
use crate::storage::SessionStorage;
use crate::table::nearest;

/// All definitions of an application and what they share.
pub(crate) struct Application {
    pub definitions: BTreeMap<String, Arc<Defined>>,
    /// The storages to purge, one for each storage table.
    pub storages: Vec<Arc<dyn SessionStorage>>,
    pub core: Core,
    pub report: Report,
    /// The requests whose sessions the response fairings must look for.
    pub awaited: Awaited,
    pub route_uses: RouteUses,
}

/// What launch reports. It is logged at liftoff, because Rocket does not apply `log_level` before.
pub(crate) struct Report {
    pub warnings: Vec<String>,
    pub summary: Vec<String>,
    undefined: Undefined,
    /// The errors that were logged.
    logged: Mutex<BTreeSet<String>>,
}

impl Report {
    pub fn new(warnings: Vec<String>, summary: Vec<String>, undefined: Undefined) -> Self {
        Self { warnings, summary, undefined, logged: Mutex::default() }
    }

    /// Logs an error that concerns several routes once.
    pub fn error(&self, message: &str) {
        if self.logged.lock().insert(message.to_owned()) {
            error!("{message}");
        }
    }
}

/// A definition, and the tracker of its sessions.
pub(crate) struct Defined {
    pub definition: Definition,
    pub tracker: Tracker,
    /// When the keys are read again from their files, if they are.
    pub reload: Option<ReloadSchedule>,
}

/// When the keys are read again, and when those read at launch may seal.
#[derive(Clone, Copy)]
pub(crate) struct ReloadSchedule {
    pub every: Duration,
    /// When launch read the keys.
    pub read: Instant,
    /// When every node has read the keys.
    pub all_know: Instant,
}

impl Deref for Defined {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.definition
    }
}

/// How sessions are tracked.
pub(crate) enum Tracker {
    /// The client carries the payload.
    ByValue(Arc<ByValue>),
    /// The client carries an id, and a storage keeps the payload.
    ById(Arc<ById>),
}

impl Application {
    /// Returns the definition of `T`. The error's text says what to write.
    pub fn definition<T: SessionData>(&self) -> Result<&Arc<Defined>, String> {
        let is_claimed = |definition: &&Arc<Defined>| {
            definition.claimed.get().is_some_and(|(by, _)| *by == TypeId::of::<T>())
        };
        // An application has few types, and after the first request all are claimed.
        if let Some(definition) = self.definitions.values().find(is_claimed) {
            return Ok(definition);
        }
        let type_name = std::any::type_name::<T>();
        let Some(definition) = self.definitions.get(T::NAME) else {
            return Err(self.undefined_message(type_name, T::NAME));
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

    fn undefined_message(&self, type_name: &str, name: &str) -> String {
        if !valid_session_name(name) {
            return format!(
                "`{type_name}` has the `SessionData::NAME` {name:?}; write a lower-case name like \"user_session\" that is not a key of [default.sessions]"
            );
        }
        let names: Vec<_> = self.definitions.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let meant = nearest(name, names.into_iter());
        let meant = meant.map_or(String::new(), |meant| format!(" Did you mean {meant:?}?"));
        let advice = self.report.undefined.advice(type_name, name);
        format!(
            "`Session<{type_name}>` is not configured. The configured sessions are: {known}.{meant} {advice}"
        )
    }
}
