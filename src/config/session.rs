//! Reads one `[default.sessions.x]` table.

use rocket::figment::value::{Dict, Value};

use super::key_source::Root;
use super::lifetimes::{LifetimeTable, read_storage_timeout};
use super::storage::{Tracking, read_cache};
use super::types::{SessionConfig, TransportConfig};
use super::{csrf, names, protection, transport};
use crate::expiry::Timeouts;
use crate::table::{Context, Table};

/// Reads one session's table. It takes its application and its secrets from the root table unless
/// it has its own. `None` if its problems leave no session.
pub(super) fn read(
    context: &mut Context<'_>,
    name: &str,
    dict: Dict,
    root: &Root,
) -> Option<SessionConfig> {
    let mut table = Table::new(context, format!("sessions.{name}"), dict);
    let transport = table.text("transport").unwrap_or_else(|| "cookie".into());
    let base_name = table.text("name").unwrap_or_else(|| name.to_owned());
    let tracking = Tracking::read(&mut table);
    let on_server = tracking.is_on_server();
    let protection = protection::read(&mut table, name, &tracking, transport == "cookie", root);
    let life = LifetimeTable::read(&mut table);
    let max_age = life.max_age(on_server, protection.writes_ktor);
    let (transport, wire_name) =
        transport::read(&mut table, &transport, base_name, &protection, max_age)?;
    let timeouts = life.timeouts(&mut table, &transport);
    let session = SessionConfig {
        remember_client: read_remember_client(&mut table, &timeouts, on_server),
        app: names::app(&mut table).unwrap_or_else(|| root.app.clone()),
        storage: read_cache(&mut table, tracking.storage),
        owner_limit: tracking.owner_limit,
        revocation: tracking.revocation,
        csrf: csrf::read(&mut table),
        protection,
        timeouts,
        max_payload: read_max_payload(&mut table, &transport, on_server),
        storage_timeout: read_storage_timeout(&mut table),
        transform: read_transform(&mut table),
        transport,
        wire_name,
    };
    table.finish();
    Some(session)
}

/// The limit in bytes of the encoded payload. The default is smaller for a payload in a header.
fn read_max_payload(
    table: &mut Table<'_, '_>,
    transport: &TransportConfig,
    on_server: bool,
) -> usize {
    let small = !on_server && !matches!(transport, TransportConfig::Cookie(_));
    table.size("max_payload").unwrap_or(if small { 8 * 1024 } else { 64 * 1024 })
}

/// Reads `remember_client`, and refuses the keys that need a record if there is none.
fn read_remember_client(table: &mut Table<'_, '_>, timeouts: &Timeouts, on_server: bool) -> bool {
    let remember_client = table.flag("remember_client").unwrap_or(false);
    for (key, set) in [
        // The default of `renewal_grace` that `renew_after` brings is not refused a second time.
        ("renewal_grace", table.has("renewal_grace") && !timeouts.renewal_grace.is_zero()),
        ("renew_after", timeouts.renew_after.is_some()),
        ("remember_client", remember_client),
    ] {
        if set && !on_server {
            table.problem(key, "only a session on the server has a record to keep this in; remove it, or write a server storage");
        }
    }
    remember_client
}

/// Reads the names of registered transformers, in the order in which they run when a session is
/// written.
fn read_transform(table: &mut Table<'_, '_>) -> Vec<String> {
    let registered = table.context.registered;
    let values = match table.value("transform") {
        None => return Vec::new(),
        Some(Value::Array(_, values)) => values,
        Some(one) => vec![one],
    };
    let mut names = Vec::new();
    for value in values {
        match value.as_str() {
            Some(name) if registered.transformers.iter().any(|known| known == name) => names.push(name.to_owned()),
            Some(name) => table.problem(
                "transform",
                format!("{name:?} is not registered; write `.attach(Sessions::fairing().transformer({name:?}, …))`"),
            ),
            None => table.problem("transform", "expected a list of registered names"),
        }
    }
    names
}
