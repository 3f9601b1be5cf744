//! From the checked configuration and the registered parts to the definitions.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use figment::Figment;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::builder::SessionsFairing;
use super::format::format;
use super::reload;
use super::summary::summary;
use crate::by_id::{ById, Identity, Server};
use crate::by_value::{ByValue, Revocation};
use crate::codec::Codec;
use crate::config::{self, SessionConfig, TransportConfig};
use crate::definition::{Core, Definition, Pace, Reload, Report, Tracker};
use crate::ktor::Serializer;
use crate::namespace::Namespace;
use crate::request::plan::Policy;
use crate::storage::{Cached, KtorDirectory, SessionStorage, StorageConfig, StorageError};
use crate::transport::{CookieTransport, HeaderTransport, LONGEST_COOKIE, SessionTransport};

/// Everything the requests will need, or every problem found.
pub(super) async fn core(
    fairing: &SessionsFairing,
    figment: &Figment,
) -> Result<Core, Vec<String>> {
    let registered = fairing.registered();
    let read = Instant::now();
    let config = config::read(figment, &registered)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let report = Report { warnings: config.warnings, summary: Vec::new() };
    let mut builder = Builder {
        fairing,
        opened: Vec::new(),
        problems: Vec::new(),
        report,
        debug: figment.profile() == "debug",
    };
    let (mut definitions, mut reloads) = (HashMap::new(), Vec::new());
    for (name, session) in config.sessions {
        builder.report.summary.extend(summary(&name, &session));
        let keys = session.key_reload.as_ref();
        let pace = keys.map(|keys| reload::pace(keys, read, fairing.clock.now()));
        if let Some(definition) = builder.definition(&name, session, pace).await.map(Arc::new) {
            let reload = |pace| Reload { definition: Arc::clone(&definition), pace };
            reloads.extend(pace.map(reload));
            definitions.insert(name, definition);
        }
    }
    if !builder.problems.is_empty() {
        return Err(builder.problems);
    }
    // A cache has nothing of its own to purge.
    let own = |config: &StorageConfig| !matches!(config, StorageConfig::Cached { .. });
    let opened = builder.opened.iter().filter(|(config, _)| own(config));
    let storages = opened.map(|(_, server)| Arc::clone(&server.storage)).collect();
    let listeners = std::mem::take(&mut *fairing.listeners.lock());
    Ok(Core {
        definitions,
        storages,
        clock: fairing.clock.clone(),
        random: fairing.random.clone(),
        listeners,
        reloads,
        report: builder.report,
        awaited: AtomicUsize::new(0),
    })
}

/// Opens each storage once and collects what goes wrong.
struct Builder<'a> {
    fairing: &'a SessionsFairing,
    opened: Vec<(StorageConfig, Server)>,
    problems: Vec<String>,
    report: Report,
    debug: bool,
}

/// Characters of the shortest id that `identity` may make outside the debug
/// profile: 128 bits of base64.
const LEAST_IDENTITY: usize = 22;

impl Builder<'_> {
    async fn definition(
        &mut self,
        name: &str,
        config: SessionConfig,
        pace: Option<Pace>,
    ) -> Option<Definition> {
        let format = format(&config.app, name, &config)
            .map(|format| reload::begin(format, pace))
            .map_err(|problem| self.problems.push(format!("`sessions.{name}`: {problem}")));
        let namespace = Namespace { app: config.app.clone(), session: name.to_owned() };
        let tracker = self.tracker(name, &config, &namespace).await;
        let transport: Arc<dyn SessionTransport> = match &config.transport {
            TransportConfig::Cookie(cookie) => Arc::new(CookieTransport::new(cookie)),
            TransportConfig::Header => Arc::new(HeaderTransport),
            TransportConfig::Custom(name) => Arc::clone(self.fairing.transports.get(name)?),
        };
        let transformers = config.transform.iter();
        let tracker = tracker.ok()?;
        Some(Definition {
            size: transport.limit(&config.wire_name),
            transport,
            wire_name: config.wire_name.clone(),
            codec: Codec {
                session: name.to_owned(),
                serializer: match &config.ktor {
                    Some(ktor) if config.writes_ktor => ktor.serializer,
                    _ => Serializer::Json,
                },
                transformers: transformers
                    .filter_map(|name| self.fairing.transformers.get(name).cloned())
                    .collect(),
                max_payload: config.max_payload,
            },
            format: RwLock::new(Arc::new(format.ok()?)),
            policy: policy(&config, &tracker),
            tracker,
            storage_timeout: config.storage_timeout,
            csrf: Arc::new(config.csrf),
            namespace,
            claimed: OnceLock::new(),
        })
    }

    /// By value or by id.
    async fn tracker(
        &mut self,
        name: &str,
        config: &SessionConfig,
        namespace: &Namespace,
    ) -> Result<Tracker, ()> {
        let identity = self.identity(name, config.writes_ktor);
        if let Some(storage) = &config.storage {
            let server = self.server_of(name, config, storage.clone()).await?;
            self.refuse_for(name, config, &*server.storage);
            return Ok(Tracker::ById(Arc::new(ById {
                server,
                owner_limit: config.owner_limit,
                identity,
                remember_client: config.remember_client,
            })));
        }
        let revocation = match &config.revocation {
            Some(storage) => {
                let Server { storage, locks, .. } = self.server(name, storage.clone()).await?;
                let absolute = config.lifetime.absolute;
                Some(Revocation { storage, locks, namespace: namespace.clone(), absolute })
            }
            None => None,
        };
        Ok(Tracker::ByValue(Arc::new(ByValue { revocation })))
    }

    /// Refuses what this storage cannot do.
    fn refuse_for(&mut self, name: &str, config: &SessionConfig, storage: &dyn SessionStorage) {
        let grace = !config.lifetime.renewal_grace.is_zero();
        let limit = config.owner_limit.is_some();
        self.refuse(
            name,
            [
                (
                    "max_sessions_per_owner",
                    limit && storage.owners().is_none(),
                    "has no index of owners",
                ),
                (
                    "renew_after",
                    config.lifetime.renew_after.is_some() && !storage.compares_and_swaps(),
                    "cannot tell which of two renewals was first",
                ),
                (
                    "renewal_grace",
                    grace && !storage.compares_and_swaps(),
                    "cannot tell which of two renewals was first",
                ),
            ],
        );
    }

    fn identity(&mut self, name: &str, writes_ktor: bool) -> Option<(Identity, usize)> {
        let identity = self.fairing.identities.get(name)?;
        if !writes_ktor {
            self.problems.push(format!(
                "`sessions.{name}`: `.identity` is for `format = \"ktor\"` only, native ids are always random; remove it"
            ));
        }
        Some((*identity, if self.debug { 1 } else { LEAST_IDENTITY }))
    }

    /// A storage, and the folder of Ktor's files where one is used.
    async fn server_of(
        &mut self,
        name: &str,
        config: &SessionConfig,
        storage: StorageConfig,
    ) -> Result<Server, ()> {
        let unused = config.lifetime.unused();
        let files = match (storage.folder(), &config.ktor) {
            (Some(path), Some(_)) => {
                let files = KtorDirectory::open(path.to_owned(), unused);
                Some(files.map_err(|cause| {
                    self.problems.push(format!("`sessions.{name}.storage`: {cause}"));
                })?)
            }
            (_, Some(_)) if !config.writes_ktor => {
                self.problems.push(format!(
                    "`sessions.{name}.accept`: of the storages only a directory can hold sessions that a Ktor server wrote; remove it"
                ));
                return Err(());
            }
            _ => None,
        };
        if !config.writes_ktor {
            return self.server(name, storage).await.map(|server| Server { ktor: files, ..server });
        }
        let Some(files) = files else { return self.server(name, storage).await };
        self.report.warnings.push(format!(
            "Session `{name}`: of concurrent writes by several processes to Ktor's files the last one wins; they have no absolute timeout and no index of owners."
        ));
        let server = Server::new(Arc::new(files.whole()));
        Ok(Server { ktor: Some(files), ..server })
    }

    /// Reports the keys that are set and that the storage cannot serve.
    fn refuse<const N: usize>(&mut self, name: &str, rows: [(&str, bool, &str); N]) {
        let set = rows.into_iter().filter(|(_, set, _)| *set);
        self.problems.extend(
            set.map(|(key, _, why)| {
                format!("`sessions.{name}.{key}`: the storage {why}; remove it")
            }),
        );
    }

    /// Definitions with the same storage table share one instance.
    async fn server(&mut self, name: &str, config: StorageConfig) -> Result<Server, ()> {
        if let Some((_, server)) = self.opened.iter().find(|(opened, _)| *opened == config) {
            return Ok(server.clone());
        }
        let mut warnings = Vec::new();
        let opened: Result<Arc<dyn SessionStorage>, StorageError> = match &config {
            StorageConfig::Engine(engine) => engine.open(&mut warnings).await,
            StorageConfig::Registered(registered) => {
                Ok(Arc::clone(self.fairing.storages.get(registered).ok_or(())?))
            }
            StorageConfig::Cached { storage, capacity, ttl } => {
                let server = Box::pin(self.server(name, StorageConfig::clone(storage))).await?;
                Ok(Arc::new(Cached::over(server.storage, *capacity, *ttl)))
            }
        };
        let of_session = |warning| format!("Session `{name}`: {warning}.");
        self.report.warnings.extend(warnings.into_iter().map(of_session));
        let storage = opened.map_err(|cause| {
            self.problems.push(format!("`sessions.{name}.storage`: {cause}"));
        })?;
        if !storage.compares_and_swaps() {
            self.report.warnings.push(format!(
                "Session `{name}`: of concurrent writes by several processes its storage keeps the last one only."
            ));
        }
        let server = Server::new(storage);
        self.opened.push((config, server.clone()));
        Ok(server)
    }
}

/// What a commit goes by.
fn policy(config: &SessionConfig, tracker: &Tracker) -> Policy {
    let absolute = config.lifetime.absolute;
    let (max_age, longest) = match &config.transport {
        TransportConfig::Cookie(cookie) => (cookie.max_age, Some(LONGEST_COOKIE)),
        _ => (None, None),
    };
    let longest_expires_early = longest.is_some_and(|longest| longest < absolute);
    Policy {
        lifetime: config.lifetime,
        by_value: matches!(tracker, Tracker::ByValue(_)),
        token_expires_early: max_age.is_some_and(|age| age < absolute || longest_expires_early),
        longest_expires_early,
    }
}
