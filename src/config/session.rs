//! Reads the table of one session.

use super::ktor::{self, KtorUse};
use super::lifetimes::{LifetimeTable, read_storage_timeout};
use super::settings::{SessionSettings, TransportSettings};
use super::storage::{Tracking, read_cache};
use super::{SessionConfig, csrf, names, protection, transport};
use crate::table::{Table, quoted};

/// The largest `max_payload`.
const LARGEST_PAYLOAD: u64 = 64 * 1024 * 1024;

/// Reads one session's table. `None` if its problems leave no session.
pub(super) fn read(table: &mut Table<'_, '_>, name: &str) -> Option<SessionSettings> {
    table.refuse_unknown();
    let mut config = SessionConfig::read_keys(table, "");
    let ktor_use = ktor::read_use(table, &config);
    if ktor_use == KtorUse::Written {
        ktor::drop_keys_without_room(table, &mut config);
    }
    let carrier = config.transport.as_deref().unwrap_or("cookie");
    let tracking = Tracking::read(table, &config);
    let protection = protection::read(table, name, &config, ktor_use, &tracking);
    let life = LifetimeTable::read(table, &config);
    let max_age = life.max_age(tracking.on_server, protection.writes_ktor);
    let (transport, wire_name) =
        transport::read(table, name, carrier, &config, &protection, max_age)?;
    let timeouts = life.timeouts(table, &config, &transport, tracking.on_server);
    refuse_without_record(table, &tracking);
    Some(SessionSettings {
        remember_client: config.remember_client.unwrap_or(false) && tracking.on_server,
        app: names::app(table, &config),
        storage: read_cache(table, &config, tracking.storage),
        owner_limit: tracking.owner_limit,
        revocation: tracking.revocation,
        csrf: csrf::read(table, config.csrf.as_ref()),
        protection,
        timeouts,
        max_payload: read_max_payload(table, &config, &transport, tracking.on_server),
        storage_timeout: read_storage_timeout(table, &config),
        transform: read_transform(table, &config),
        written: table.written(),
        transport,
        wire_name,
    })
}

/// The limit in bytes of the encoded payload. The default is smaller for a payload in a header.
fn read_max_payload(
    table: &mut Table<'_, '_>,
    config: &SessionConfig,
    transport: &TransportSettings,
    on_server: bool,
) -> usize {
    let small = !on_server && !matches!(transport, TransportSettings::Cookie(_));
    let default = if small { 8 * 1024 } else { 64 * 1024 };
    let Some(size) = config.max_payload else { return default };
    if size == 0 || size > LARGEST_PAYLOAD {
        table.problem("max_payload", "must be at least 1 byte and at most 64 MiB, e.g. \"64 KiB\"");
    }
    usize::try_from(size.as_u64()).unwrap_or(default)
}

/// Refuses the keys that need a record if there is none.
fn refuse_without_record(table: &mut Table<'_, '_>, tracking: &Tracking) {
    if tracking.on_server || !tracking.is_known {
        return;
    }
    for key in ["renewal_grace", "renew_after", "remember_client"] {
        if table.is_on(key) {
            table.no_effect(key, "storage", "only a session on the server has a record to keep this in; remove it, or write a server storage");
        }
    }
}

/// The names of registered transformers, in the order in which they run when a session is
/// written.
fn read_transform(table: &mut Table<'_, '_>, config: &SessionConfig) -> Vec<String> {
    let names = config.transform.clone().unwrap_or_default().0;
    for name in &names {
        if !table.context.registered.transformers.contains(name) {
            let name = quoted(name);
            table.problem(
                "transform",
                format!("{name} is not registered; write `.attach(Sessions::fairing().transformer({name}, …))`"),
            );
        }
    }
    names
}
