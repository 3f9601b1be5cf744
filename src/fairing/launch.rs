//! Builds the definitions from the checked configuration and the registered parts.

use crate::awaited::Awaited;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use figment::Figment;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::builder::SessionsFairing;
use super::reload;
use super::storages::Storages;
use super::summary::summary;
use super::tokens::build_tokens;
use crate::application::{Application, Defined, ReloadSchedule, Report, Tracker};
use crate::by_id::{ById, Identity, RecordStore};
use crate::by_value::{ByValue, Revocation};
use crate::codec::Codec;
use crate::config::{self, Problem, SessionSettings, TransportSettings, Undefined};
use crate::definition::{Core, Definition};
use crate::expiry::Timestamp;
use crate::hints::Hints;
use crate::ktor::Serializer;
use crate::namespace::Namespace;
use crate::plan::Policy;
use crate::route_uses::RouteUses;
use crate::transport::{CookieTransport, HeaderTransport, LONGEST_COOKIE, SessionTransport};

/// The fewest characters of an id from `identity` outside the debug profile: 128 bits
/// of base64.
const LEAST_IDENTITY: usize = 22;

/// The warning for sessions in memory outside the debug profile.
const IN_PROCESS: &str = "`storage = \"memory\"` keeps its sessions in this process. They end with it, and no other process sees them. If that matters, write another storage, such as `storage = { type = \"directory\", path = \"sessions\" }`.";

/// Returns everything that the requests need, or every problem that was found.
pub(super) async fn launch(
    fairing: &SessionsFairing,
    figment: &Figment,
) -> Result<Application, Vec<String>> {
    let read = Instant::now();
    let config =
        config::read(figment, &fairing.registered()).map_err(|problems| to_text(&problems))?;
    let mut launch = Launch {
        fairing,
        debug: figment.profile() == "debug",
        storages: Storages::new(&fairing.storages),
        definitions: BTreeMap::new(),
        summary: Vec::new(),
        undefined: config.undefined,
    };
    launch.storages.warnings = config.warnings;
    for (name, session) in config.sessions {
        launch.add(name, session, read).await;
    }
    launch.finish()
}

fn to_text(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// A launch in progress.
struct Launch<'a> {
    fairing: &'a SessionsFairing,
    debug: bool,
    storages: Storages<'a>,
    definitions: BTreeMap<String, Arc<Defined>>,
    summary: Vec<String>,
    undefined: Undefined,
}

impl Launch<'_> {
    /// Adds a definition, or the problems of its table. Its keys were read at `read`.
    async fn add(&mut self, name: String, config: SessionSettings, read: Instant) {
        self.summary.extend(summary(&name, &config));
        let now = self.fairing.clock.now();
        let pace = config.protection.key_reload.as_ref().map(|keys| reload::pace(keys, read, now));
        let (written, known) = (config.written.clone(), self.storages.problems.len());
        let definition = self.definition(&name, config, pace).await;
        for problem in &mut self.storages.problems[known..] {
            problem.find_source(&name, &written);
        }
        if let Some(definition) = definition {
            self.definitions.insert(name, Arc::new(definition));
        }
    }

    fn finish(self) -> Result<Application, Vec<String>> {
        let Self { fairing, storages, definitions, summary, undefined, .. } = self;
        if !storages.problems.is_empty() {
            return Err(to_text(&storages.problems));
        }
        let application = Application {
            definitions,
            storages: storages.to_purge(),
            core: Core {
                clock: fairing.clock.clone(),
                random: fairing.random.clone(),
                listeners: std::mem::take(&mut *fairing.listeners.lock()),
                ends: AtomicU64::new(0),
            },
            report: Report::new(storages.warnings, summary, undefined),
            awaited: Awaited::default(),
            route_uses: RouteUses::default(),
        };
        let required = fairing.required.iter();
        let problems: Vec<_> = required.filter_map(|check| check(&application).err()).collect();
        if problems.is_empty() { Ok(application) } else { Err(problems) }
    }

    /// Builds a definition. Returns `None` after it has added a problem to the list.
    async fn definition(
        &mut self,
        name: &str,
        config: SessionSettings,
        reload: Option<ReloadSchedule>,
    ) -> Option<Defined> {
        let tokens = build_tokens(&config.app, name, &config)
            .map(|tokens| reload::begin(tokens, reload))
            .map_err(|problem| {
                self.storages.problems.push(Problem::of_session(name, "", problem));
            });
        let namespace = Namespace::new(&config.app, name);
        let tracker = self.tracker(name, &config, &namespace).await;
        let transport = self.transport(&config.transport)?;
        let (tracker, tokens) = (tracker.ok()?, tokens.ok()?);
        let definition = Definition {
            size: transport.limit(&config.wire_name),
            transport,
            codec: self.codec(name, &config),
            tokens: RwLock::new(Arc::new(tokens)),
            writes: config.storage.is_some() || config.revocation.is_some(),
            hints: hints(name, &config, self.fairing.clock.now()),
            policy: policy(&config),
            wire_name: config.wire_name,
            storage_timeout: config.storage_timeout,
            csrf: Arc::new(config.csrf),
            namespace,
            claimed: OnceLock::new(),
        };
        Some(Defined { definition, tracker, reload })
    }

    fn transport(&self, config: &TransportSettings) -> Option<Arc<dyn SessionTransport>> {
        Some(match config {
            TransportSettings::Cookie(cookie) => Arc::new(CookieTransport::new(cookie)),
            TransportSettings::Header => Arc::new(HeaderTransport),
            TransportSettings::Custom(name) => Arc::clone(self.fairing.transports.get(name)?),
        })
    }

    fn codec(&self, name: &str, config: &SessionSettings) -> Codec {
        let (ktor, transformers) = (config.protection.written_ktor(), config.transform.iter());
        Codec {
            session: name.to_owned(),
            serializer: ktor.map_or(Serializer::Json, |ktor| ktor.serializer),
            transformers: transformers
                .filter_map(|name| self.fairing.transformers.get(name).cloned())
                .collect(),
            max_payload: config.max_payload,
            reported: AtomicBool::default(),
        }
    }

    /// Builds what tracks the sessions: by id with a storage, and by value without one.
    async fn tracker(
        &mut self,
        name: &str,
        config: &SessionSettings,
        namespace: &Namespace,
    ) -> Result<Tracker, ()> {
        let identity = self.identity(name, config.protection.writes_ktor);
        if let Some(storage) = &config.storage {
            if storage.is_in_process() && !self.debug {
                self.storages.warnings.push(format!("Session `{name}`: {IN_PROCESS}"));
            }
            return Ok(Tracker::ById(Arc::new(ById {
                store: self.storages.for_session(name, config, storage.clone()).await?,
                owner_limit: config.owner_limit,
                identity,
                remember_client: config.remember_client,
            })));
        }
        let revocation = match &config.revocation {
            Some(storage) => {
                let RecordStore { storage, locks, .. } =
                    self.storages.open(name, "revocation", storage.clone()).await?;
                let absolute = config.timeouts.absolute;
                Some(Revocation { storage, locks, namespace: namespace.clone(), absolute })
            }
            None => None,
        };
        Ok(Tracker::ByValue(Arc::new(ByValue { revocation })))
    }

    fn identity(&mut self, name: &str, writes_ktor: bool) -> Option<Identity> {
        let identity = self.fairing.identities.get(name)?;
        if !writes_ktor {
            let message = "`.identity` is for `format = \"ktor\"` only, native ids are always random; remove it";
            self.storages.problems.push(Problem::of_session(name, "format", message));
        }
        let least = if self.debug { 1 } else { LEAST_IDENTITY };
        Some(Identity { make: Arc::clone(identity), least })
    }
}

fn hints(name: &str, config: &SessionSettings, now: Timestamp) -> Hints {
    let cookie = match &config.transport {
        TransportSettings::Cookie(cookie) => Some(cookie),
        _ => None,
    };
    Hints::new(name, cookie, config.timeouts.absolute, now)
}

/// Returns the part of the configuration that [`plan`](crate::plan) needs.
fn policy(config: &SessionSettings) -> Policy {
    let absolute = config.timeouts.absolute;
    let (max_age, longest) = match &config.transport {
        TransportSettings::Cookie(cookie) => (cookie.max_age, Some(LONGEST_COOKIE)),
        _ => (None, None),
    };
    let longest_expires_early = longest.is_some_and(|longest| longest < absolute);
    Policy {
        timeouts: config.timeouts,
        by_value: config.storage.is_none(),
        token_expires_early: max_age.is_some_and(|age| age < absolute || longest_expires_early),
        longest_expires_early,
    }
}
