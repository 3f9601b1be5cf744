//! Reads keys again from their files while the application runs.
//!
//! Nodes do not reload at the same moment. So a new key opens tokens at once, but seals
//! them only after two intervals, when every node can open what it seals. A node that
//! starts cannot tell which keys are new. It only sees when their file was changed. Until
//! two intervals after that, it seals with each key of the list, so that every node has a
//! key for one part of the token.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use figment::Figment;
use rocket::{Shutdown, error, info};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::tokens::build_tokens;
use crate::application::{Application, Defined, ReloadSchedule};
use crate::config::{self, KeyReload, Registered};
use crate::definition::Definition;
use crate::expiry::{Clock, Timestamp};
use crate::token::{Sealing, Tokens};

/// Returns when the keys are read again, and from when on every node has them.
pub(super) fn pace(keys: &KeyReload, read: Instant, now: Timestamp) -> ReloadSchedule {
    let changed = keys.files.iter().map(|file| last_change(file).unwrap_or(now)).max();
    // A change in the future counts as a change now.
    let age = changed.map_or(Duration::MAX, |changed| now.since(changed));
    let all_know = Instant::now() + (2 * keys.every).saturating_sub(age);
    ReloadSchedule { every: keys.every, read, all_know }
}

/// Returns when the file, or a symbolic link on the way to it, was last changed. Returns
/// `None` if that is not known.
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

/// Returns when a file was written or came to its place, whichever is later. A file that is
/// moved or copied may keep its modification time, but not the time of its arrival.
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

/// Chooses the keys that seal at launch.
pub(super) fn begin(tokens: Tokens, pace: Option<ReloadSchedule>) -> Tokens {
    let Some(pace) = pace else { return tokens };
    let (keys, _) = tokens.key_ids();
    let sealing = sealing(&keys, &all(&keys, pace));
    tokens.sealing_with(sealing)
}

/// The sources of the keys.
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
    clock: Clock,
    shutdown: Shutdown,
) {
    let (known, _) = definition.tokens().key_ids();
    let mut ready = all(&known, pace);
    let mut last_problem = String::new();
    // The interval counts from the reading, because liftoff may come much later.
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
                take(&definition, fresh, &mut ready, pace, &clock);
            }
            Err(problem) if problem != last_problem => {
                error!(
                    "Session `{}`: the keys could not be reloaded and stay the same: {problem}.",
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
    let session = config.sessions.get(name).ok_or("the session is no longer configured")?;
    build_tokens(&session.app, name, session)
}

/// When each key may begin to seal.
type Ready = HashMap<[u8; 4], Instant>;

/// Returns that time for the keys that were read at launch.
fn all(keys: &[[u8; 4]], pace: ReloadSchedule) -> Ready {
    keys.iter().map(|key| (*key, pace.all_know)).collect()
}

/// Chooses the first key that may seal. If none may yet, the keys that may seal earliest are
/// chosen.
fn sealing(keys: &[[u8; 4]], ready: &Ready) -> Sealing {
    let now = Instant::now();
    let since: Vec<_> = keys.iter().map(|key| ready.get(key)).collect();
    if let Some(first) = since.iter().position(|from| from.is_some_and(|from| *from <= now)) {
        return Sealing::with(vec![first]);
    }
    let earliest = since.iter().min();
    Sealing::with((0..keys.len()).filter(|n| since.get(*n) == earliest).collect())
}

fn take(
    definition: &Definition,
    fresh: Tokens,
    ready: &mut Ready,
    pace: ReloadSchedule,
    clock: &Clock,
) {
    let (keys, _) = fresh.key_ids();
    ready.retain(|key, _| keys.contains(key));
    for key in &keys {
        ready.entry(*key).or_insert_with(|| Instant::now() + 2 * pace.every);
    }
    let sealing = sealing(&keys, ready);
    if definition.tokens().key_ids() == (keys, sealing.clone()) {
        return;
    }
    info!("Session `{}`: the keys were reloaded; {sealing}.", definition.namespace.session);
    *definition.tokens.write() = Arc::new(fresh.sealing_with(sealing));
    definition.hints.keys_changed(clock.now());
}

/// Starts a task for each definition whose keys are to be reloaded.
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
        let (source, clock) = (source.clone(), application.core.clock.clone());
        let watch = watch(Arc::clone(definition), pace, source, clock, shutdown.clone());
        rocket::tokio::spawn(watch);
    }
}
