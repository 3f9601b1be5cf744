//! Opens the storages of all definitions, each of them once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::by_id::RecordStore;
use crate::config::{Problem, SessionSettings};
use crate::storage::{Cached, KtorDirectory, SessionStorage, StorageError, StorageSettings};

/// The key of a session's storage table.
const STORAGE: &str = "storage";

/// Opens storages, and collects problems that refuse launch and warnings for operators.
pub(super) struct Storages<'a> {
    registered: &'a HashMap<String, Arc<dyn SessionStorage>>,
    opened: Vec<(StorageSettings, RecordStore)>,
    /// Could not be opened, which is a problem already.
    failed: Vec<StorageSettings>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
}

impl<'a> Storages<'a> {
    pub fn new(registered: &'a HashMap<String, Arc<dyn SessionStorage>>) -> Self {
        Self {
            registered,
            opened: Vec::new(),
            failed: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns the storages to purge. A cache is not one of them: it has no records of its own.
    pub fn to_purge(&self) -> Vec<Arc<dyn SessionStorage>> {
        let own = |config: &StorageSettings| !matches!(config, StorageSettings::Cached { .. });
        let opened = self.opened.iter().filter(|(config, _)| own(config));
        opened.map(|(_, server)| Arc::clone(&server.storage)).collect()
    }

    /// Opens the storage of a session, and refuses keys of its table that the storage cannot
    /// serve.
    pub async fn for_session(
        &mut self,
        name: &str,
        config: &SessionSettings,
        storage: StorageSettings,
    ) -> Result<RecordStore, ()> {
        let server = self.with_ktor(name, config, storage).await?;
        self.refuse_for(name, config, &*server.storage);
        Ok(server)
    }

    /// Opens the storage, and the folder of Ktor's files if the session uses one.
    async fn with_ktor(
        &mut self,
        name: &str,
        config: &SessionSettings,
        storage: StorageSettings,
    ) -> Result<RecordStore, ()> {
        if config.protection.ktor.is_none() {
            return self.open(name, STORAGE, storage).await;
        }
        let writes_ktor = config.protection.writes_ktor;
        let Some(path) = storage.folder() else {
            if writes_ktor {
                return self.open(name, STORAGE, storage).await;
            }
            let message = "of the storages only a directory can hold sessions that a Ktor server wrote; remove it";
            self.problems.push(Problem::of_session(name, "accept", message));
            return Err(());
        };
        let files = KtorDirectory::open(path.to_owned(), config.timeouts.unused());
        let files = files.map_err(|cause| {
            self.problems.push(Problem::of_session(name, STORAGE, cause.to_string()));
        })?;
        if !writes_ktor {
            let server = self.open(name, STORAGE, storage).await?;
            return Ok(RecordStore { ktor: Some(files), ..server });
        }
        self.warnings.push(format!(
            "Session `{name}`: if several processes write Ktor's files at the same time, the last write wins; the files have no absolute timeout and no index of owners."
        ));
        let server = RecordStore::new(Arc::new(files.whole()));
        Ok(RecordStore { ktor: Some(files), ..server })
    }

    /// Opens a storage. Definitions with the same storage table share one instance. `key` names
    /// the table, for problems.
    pub async fn open(
        &mut self,
        name: &str,
        key: &str,
        config: StorageSettings,
    ) -> Result<RecordStore, ()> {
        if let Some((_, server)) = self.opened.iter().find(|(opened, _)| *opened == config) {
            return Ok(server.clone());
        }
        if self.failed.contains(&config) {
            return Err(());
        }
        let mut warnings = Vec::new();
        let opened: Result<Arc<dyn SessionStorage>, StorageError> = match &config {
            StorageSettings::Engine(engine) => engine.open(&mut warnings).await,
            StorageSettings::Registered(registered) => {
                Ok(Arc::clone(self.registered.get(registered).ok_or(())?))
            }
            StorageSettings::Cached { storage, capacity, ttl } => {
                let server =
                    Box::pin(self.open(name, key, StorageSettings::clone(storage))).await?;
                Ok(Arc::new(Cached::over(server.storage, *capacity, *ttl)))
            }
        };
        let Ok(storage) = opened.map_err(|cause| {
            self.problems.push(Problem::of_session(name, key, cause.to_string()));
        }) else {
            self.failed.push(config);
            return Err(());
        };
        self.warn(name, warnings, &*storage);
        let server = RecordStore::new(storage);
        self.opened.push((config, server.clone()));
        Ok(server)
    }

    /// Tells an operator what to know of a storage that has been opened.
    fn warn(&mut self, name: &str, warnings: Vec<String>, storage: &dyn SessionStorage) {
        let of_session = |warning| format!("Session `{name}`: {warning}.");
        self.warnings.extend(warnings.into_iter().map(of_session));
        if !storage.compares_and_swaps() {
            let last = "if several processes write a session at the same time, its storage keeps only the last write.";
            self.warnings.push(format!("Session `{name}`: {last}"));
        }
    }

    /// Refuses keys that are set but that the storage cannot serve.
    fn refuse_for(&mut self, name: &str, config: &SessionSettings, storage: &dyn SessionStorage) {
        let cannot_order = !storage.compares_and_swaps();
        let (renews, grace) = (config.timeouts.renew_after, config.timeouts.renewal_grace);
        for (key, set, why) in [
            (
                "max_sessions_per_owner",
                config.owner_limit.is_some() && storage.owners().is_none(),
                "has no index of owners",
            ),
            ("renew_after", renews.is_some() && cannot_order, CANNOT_ORDER),
            ("renewal_grace", !grace.is_zero() && cannot_order, CANNOT_ORDER),
        ] {
            if set {
                let message = format!("the storage {why}; remove it");
                self.problems.push(Problem::of_session(name, key, message));
            }
        }
    }
}

const CANNOT_ORDER: &str = "cannot tell which of two renewals was first";
