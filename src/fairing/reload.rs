//! Keys that are read again from their files while the application runs.
//!
//! Nodes do not reload at the same moment. So a key that is new opens at once
//! and seals only after two intervals, when every node can open what it seals.
//! A node that starts cannot see which keys are new, only when their file was
//! changed: until two intervals after that, each key of the list seals, and every
//! node has one of them.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rocket::figment::Figment;
use rocket::{Shutdown, error, info};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::tokens::build_tokens;
use crate::application::{Application, Defined, ReloadSchedule};
use crate::config::{self, KeyReload, Registered};
use crate::definition::Definition;
use crate::expiry::Timestamp;
use crate::token::{Sealing, Tokens};

/// When the keys are read again, and when every node has those that were read.
pub(super) fn pace(keys: &KeyReload, read: Instant, now: Timestamp) -> ReloadSchedule {
    let changed = keys.files.iter().map(|file| last_change(file).unwrap_or(now)).max();
    // A change in the future counts as one of this moment.
    let age = changed.map_or(Duration::MAX, |changed| now.since(changed));
    let all_know = Instant::now() + (2 * keys.every).saturating_sub(age);
    ReloadSchedule { every: keys.every, read, all_know }
}

/// When the file was last changed, or any link on the way to it; none if nobody
/// can tell.
fn last_change(path: &Path) -> Option<Timestamp> {
    let mut latest = changed(&path.metadata().ok()?)?;
    let mut paths = vec![path.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        for link in path.ancestors().filter(|part| part.is_symlink()) {
            latest = latest.max(changed(&link.symlink_metadata().ok()?)?);
            let target = link.parent()?.join(link.read_link().ok()?);
            if !paths.contains(&target) {
                paths.push(target);
            }
        }
    }
    Some(latest)
}

/// A file that is moved or copied may keep the time of its writing; that of its
/// coming, which is the later one, nobody sets.
fn changed(about: &Metadata) -> Option<Timestamp> {
    #[cfg(unix)]
    let came = {
        use std::os::unix::fs::MetadataExt;
        let millis = about.ctime() * 1000 + about.ctime_nsec() / 1_000_000;
        u64::try_from(millis).ok().map(Timestamp::from_millis)
    };
    #[cfg(not(unix))]
    let came = about.created().ok().map(Timestamp::from);
    about.modified().ok().map(Timestamp::from).max(came)
}

/// With the keys that seal at launch.
pub(super) fn begin(tokens: Tokens, pace: Option<ReloadSchedule>) -> Tokens {
    let Some(pace) = pace else { return tokens };
    let (keys, _) = tokens.key_ids();
    let sealing = sealing(&keys, &all(&keys, pace));
    tokens.sealing_with(sealing)
}

/// Where the keys are read from.
#[derive(Clone)]
pub(super) struct KeyFiles {
    pub figment: Figment,
    pub registered: Arc<Registered>,
}

/// Reloads one definition's keys until shutdown.
async fn watch(
    definition: Arc<Defined>,
    pace: ReloadSchedule,
    source: KeyFiles,
    shutdown: Shutdown,
) {
    let (known, _) = definition.tokens().key_ids();
    let mut ready = all(&known, pace);
    let mut last_problem = String::new();
    // Liftoff may be long after the keys were read.
    let mut ticks = interval_at(pace.read + pace.every, pace.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut shutdown => return,
        }
        let (source, name) = (source.clone(), definition.namespace.session.clone());
        let read = rocket::tokio::task::spawn_blocking(move || read(&source, &name)).await;
        match read.unwrap_or_else(|cause| Err(cause.to_string())) {
            Ok(fresh) => {
                last_problem.clear();
                take(&definition, fresh, &mut ready, pace.every);
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

fn read(source: &KeyFiles, name: &str) -> Result<Tokens, String> {
    let config = config::read(&source.figment, &source.registered).map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    })?;
    let session = config.sessions.get(name).ok_or("its definition is gone")?;
    build_tokens(&session.app, name, session)
}

/// From when on each key may seal.
type Ready = HashMap<[u8; 4], Instant>;

/// The keys of launch.
fn all(keys: &[[u8; 4]], pace: ReloadSchedule) -> Ready {
    keys.iter().map(|key| (*key, pace.all_know)).collect()
}

/// The first key that may seal. Where none may yet, those that came first.
fn sealing(keys: &[[u8; 4]], ready: &Ready) -> Sealing {
    let now = Instant::now();
    let since: Vec<_> = keys.iter().map(|key| ready.get(key)).collect();
    if let Some(first) = since.iter().position(|from| from.is_some_and(|from| *from <= now)) {
        return Sealing::with(vec![first]);
    }
    let earliest = since.iter().min();
    Sealing::with((0..keys.len()).filter(|n| since.get(*n) == earliest).collect())
}

fn take(definition: &Definition, fresh: Tokens, ready: &mut Ready, every: Duration) {
    let (keys, _) = fresh.key_ids();
    ready.retain(|key, _| keys.contains(key));
    for key in &keys {
        ready.entry(*key).or_insert_with(|| Instant::now() + 2 * every);
    }
    let sealing = sealing(&keys, ready);
    if definition.tokens().key_ids() == (keys, sealing.clone()) {
        return;
    }
    info!("Session `{}`: keys reloaded; {sealing}.", definition.namespace.session);
    *definition.tokens.write() = Arc::new(fresh.sealing_with(sealing));
}

/// Starts a task for each definition that asks for it.
pub(super) fn start(application: &Application, source: &KeyFiles, shutdown: &Shutdown) {
    for definition in application.definitions.values() {
        let Some(pace) = definition.reload else { continue };
        let (_, sealing) = definition.tokens().key_ids();
        if !sealing.is_one() {
            info!(
                "Session `{}`: its keys have just changed; until every node has read them, {sealing}.",
                definition.namespace.session
            );
        }
        let watch = watch(Arc::clone(definition), pace, source.clone(), shutdown.clone());
        rocket::tokio::spawn(watch);
    }
}
