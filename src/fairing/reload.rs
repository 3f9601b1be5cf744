//! Keys that are read again from their files while the application runs.
//!
//! Nodes do not reload at the same moment. So a key that is new opens at once
//! and seals only after two intervals, when every node can open what it seals.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use figment::Figment;
use rocket::{Shutdown, error, info};
use tokio::time::Instant;

use super::launch::format;
use crate::config::{self, Registered};
use crate::definition::{Definition, Reload};
use crate::token::Format;

/// Where the keys are read from.
#[derive(Clone)]
pub(super) struct Source {
    pub figment: Figment,
    pub registered: Arc<Registered>,
}

/// Reloads one definition's keys until shutdown.
pub(super) async fn watch(
    definition: Arc<Definition>,
    every: Duration,
    source: Source,
    shutdown: Shutdown,
) {
    let (known, _) = definition.format().key_ids();
    // Keys that were there at launch seal at once.
    let mut ages = known.into_iter().map(|key| (key, None)).collect();
    let mut last_problem = String::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = &mut shutdown => return,
        }
        let (source, name) = (source.clone(), definition.namespace.session.clone());
        let read = rocket::tokio::task::spawn_blocking(move || read(&source, &name)).await;
        match read.unwrap_or_else(|cause| Err(cause.to_string())) {
            Ok(fresh) => {
                last_problem.clear();
                take(&definition, fresh, &mut ages, every);
            }
            Err(problem) if problem != last_problem => {
                error!(
                    "Session `{}`: the keys stay as they were: {problem}.",
                    definition.namespace.session
                );
                last_problem = problem;
            }
            Err(_) => {}
        }
    }
}

fn read(source: &Source, name: &str) -> Result<Format, String> {
    let config = config::read(&source.figment, &source.registered).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    })?;
    let session = config.sessions.get(name).ok_or("its definition is gone")?;
    format(&session.app, name, session)
}

/// Since when each key is known; `None` for since launch.
type Ages = HashMap<[u8; 4], Option<Instant>>;

fn take(definition: &Definition, fresh: Format, ages: &mut Ages, every: Duration) {
    let (keys, _) = fresh.key_ids();
    let now = Instant::now();
    ages.retain(|key, _| keys.contains(key));
    for key in &keys {
        ages.entry(*key).or_insert(Some(now));
    }
    let old_enough = |key: &[u8; 4]| {
        ages.get(key).is_some_and(|since| since.is_none_or(|since| now - since >= 2 * every))
    };
    // If all are new there is nothing better than the first.
    let sealing = keys.iter().position(old_enough).unwrap_or(0);
    if definition.format().key_ids() == (keys, sealing) {
        return;
    }
    info!(
        "Session `{}`: keys reloaded; number {} of the list seals.",
        definition.namespace.session,
        sealing + 1
    );
    *definition.format.write() = Arc::new(fresh.sealing_with(sealing));
}

/// Starts a task for each definition that asks for it.
pub(super) fn start(reloads: &[Reload], source: &Source, shutdown: &Shutdown) {
    for Reload { definition, every } in reloads {
        let watch = watch(Arc::clone(definition), *every, source.clone(), shutdown.clone());
        rocket::tokio::spawn(watch);
    }
}
