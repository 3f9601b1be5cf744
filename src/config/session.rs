//! One `[default.sessions.x]` table.

use std::time::Duration;

use figment::value::{Dict, Value};
use zeroize::Zeroizing;

use super::ktor::{self, KtorTransform, KtorUse};
use super::names::{self, is_reserved, is_token};
use super::table::Table;
use super::{
    Context, CookieConfig, KeyReload, KtorConfig, Protect, SessionConfig, TransportConfig, cookie,
    csrf, keys, storage,
};
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;
use crate::expiry::Timeouts;
use crate::storage::{OwnerLimit, OwnerLimitPolicy};

const DAY: Duration = Duration::from_secs(86_400);
/// Ktor's own default lifetime.
const IDLE: Duration = Duration::from_secs(7 * 86_400);
/// NIST SP 800-63B, AAL1.
const ABSOLUTE: Duration = Duration::from_secs(30 * 86_400);
const STORAGE_TIMEOUT: Duration = Duration::from_secs(2);
const LONGEST_STORAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads one session's table, whose application and secrets are the root's unless
/// it has its own; `None` if it has problems that leave no session.
pub(super) fn read(
    context: &mut Context<'_>,
    name: &str,
    dict: Dict,
    (app, secrets): (&str, &[Zeroizing<Vec<u8>>]),
) -> Option<SessionConfig> {
    let registered = context.registered;
    let mut table = Table::new(context, format!("sessions.{name}"), dict);
    let transport = table.text("transport").unwrap_or_else(|| "cookie".into());
    let base_name = table.text("name").unwrap_or_else(|| name.to_owned());
    let storage = storage::read(&mut table, "storage", "client");
    let revocation = storage::of_revocation(&mut table, storage.is_some());
    let owner_limit = owner_limit(&mut table, storage.is_some());
    let protect = protect(&mut table, storage.is_some());
    let suites = [Suite::A128CbcHs256, Suite::A192CbcHs384, Suite::A256CbcHs512]
        .map(|suite| (suite.name(), suite));
    let suite = table.choice("suite", &suites).unwrap_or(Suite::A128CbcHs256);
    let allow_insecure = table.flag("allow_insecure").unwrap_or(false);
    if protect == Protect::None && !table.context.debug && !allow_insecure {
        table.problem("protect", "\"none\" is refused outside the debug profile, unless the same table says `allow_insecure = true`");
    }
    let ktor_use = ktor::use_of(&mut table);
    let mut ktor = ktor(&mut table, ktor_use, protect, transport == "cookie");
    let fits = (suite, storage.is_some());
    let keys =
        keys::of_session(&mut table, name, protect, fits, secrets, (ktor.as_mut(), ktor_use));
    let writes_ktor = ktor_use == KtorUse::Written;
    let key_reload = key_reload(&mut table, keys.all());
    if writes_ktor {
        refuse_with_ktor(&mut table, revocation.is_some(), key_reload.is_some());
    }
    let timeouts = timeouts(&mut table);
    let touch_after = table.duration_or_zero("touch_after");
    let max_age = max_age(timeouts, touch_after, storage.is_some(), writes_ktor);
    let cookie_table = table.table("cookie").map(Table::rest).map(Dict::from_iter);
    let (transport, wire_name) = match transport.as_str() {
        "cookie" => {
            let path = table.path("cookie");
            let dict = cookie_table.unwrap_or_default();
            let defaults = (max_age, writes_ktor);
            let (cookie, wire_name) =
                cookie::read(table.context, path, dict, &base_name, defaults, allow_insecure);
            let ktor_encoding = ktor.as_ref().filter(|_| writes_ktor);
            let ktor_encoding = ktor_encoding.and_then(|ktor| ktor.cookie_encoding);
            (TransportConfig::Cookie(CookieConfig { ktor_encoding, ..cookie }), wire_name)
        }
        other => (
            self::transport(&mut table, other, &base_name, cookie_table.is_some(), registered)?,
            base_name,
        ),
    };
    let lifetime = lifetime(&mut table, &transport, timeouts, touch_after);
    let remember_client = remember_client(&mut table, &lifetime, storage.is_some());
    let small = storage.is_none() && !matches!(transport, TransportConfig::Cookie(_));
    let session = SessionConfig {
        app: names::app(&mut table).unwrap_or_else(|| app.to_owned()),
        transport,
        wire_name,
        storage: storage::cached(&mut table, storage),
        owner_limit,
        revocation,
        protect,
        keys: keys.tokens,
        csrf_keys: keys.csrf,
        csrf: csrf::read(&mut table),
        suite,
        ktor,
        writes_ktor,
        key_reload,
        lifetime,
        max_payload: table.size("max_payload").unwrap_or(if small { 8 * 1024 } else { 64 * 1024 }),
        storage_timeout: storage_timeout(&mut table),
        transform: transform(&mut table, registered),
        remember_client,
    };
    table.finish();
    Some(session)
}

/// Writes whose answers are lost can be found for two minutes; see `by_id::settle`.
fn storage_timeout(table: &mut Table<'_, '_>) -> Duration {
    let timeout = table.duration("storage_timeout").unwrap_or(STORAGE_TIMEOUT);
    if timeout >= LONGEST_STORAGE_TIMEOUT {
        table.problem("storage_timeout", "must be shorter than one minute, e.g. \"2 seconds\"");
    }
    timeout
}

/// How long a cookie lasts by default: as long as its session, and that of an id as
/// long as the session ever could.
fn max_age(
    (idle, absolute): (Duration, Duration),
    touch_after: Option<Duration>,
    on_server: bool,
    writes_ktor: bool,
) -> Duration {
    match (on_server, writes_ktor) {
        (true, _) => absolute,
        // A token of Ktor's has no idle time to keep.
        (false, true) => idle,
        (false, false) => {
            let latest = idle.saturating_add(touch_after.unwrap_or(idle / 10));
            let part_of_second = u64::from(latest.subsec_nanos() > 0);
            Duration::from_secs(latest.as_secs() + part_of_second).min(absolute)
        }
    }
}

/// How long sessions live and keep their ids.
fn lifetime(
    table: &mut Table<'_, '_>,
    transport: &TransportConfig,
    (idle, absolute): (Duration, Duration),
    touch_after: Option<Duration>,
) -> Timeouts {
    let smaller = match transport {
        TransportConfig::Cookie(cookie) => cookie.max_age.map_or(idle, |age| age.min(idle)),
        _ => idle,
    };
    let lifetime = Timeouts {
        idle,
        absolute,
        touch_after: touch_after.unwrap_or(smaller / 10),
        renewal_grace: Duration::ZERO,
        renew_after: duration_or_never(table, "renew_after"),
    };
    let grace = table.duration_or_zero("renewal_grace");
    if grace.is_some() && lifetime.renew_after.is_none() {
        table.warning("renewal_grace", "has no effect without `renew_after`; remove it");
    }
    let default = if lifetime.renew_after.is_some() { RENEWAL_GRACE } else { Duration::ZERO };
    Timeouts { renewal_grace: grace.unwrap_or(default), ..lifetime }
}

/// How long the id before a periodic renewal opens a session after the new one was first
/// shown.
const RENEWAL_GRACE: Duration = Duration::from_secs(60);

/// Reads `remember_client`, and refuses what needs a record where there is none.
fn remember_client(table: &mut Table<'_, '_>, lifetime: &Timeouts, on_server: bool) -> bool {
    let remember_client = table.flag("remember_client").unwrap_or(false);
    for (key, set) in [
        // Not the default that comes with `renew_after`.
        ("renewal_grace", table.has("renewal_grace") && !lifetime.renewal_grace.is_zero()),
        ("renew_after", lifetime.renew_after.is_some()),
        ("remember_client", remember_client),
    ] {
        if set && !on_server {
            table.problem(key, "only a session on the server has a record to keep this in; remove it, or write a server storage");
        }
    }
    remember_client
}

/// The `ktor` table, where Ktor's format is used at all.
fn ktor(
    table: &mut Table<'_, '_>,
    ktor_use: KtorUse,
    protect: Protect,
    in_cookie: bool,
) -> Option<KtorConfig> {
    let path = table.path("ktor");
    let dict = table.table("ktor").map(Table::rest).map(Dict::from_iter);
    if ktor_use == KtorUse::Never {
        if dict.is_some() {
            table.problem("ktor", "would be ignored; write `format = \"ktor\"` or `accept = [\"ktor\"]`, or remove it");
        }
        return None;
    }
    let ktor = ktor::read(table.context, path, dict.unwrap_or_default(), protect, in_cookie);
    if ktor.transform.is_empty() && !table.context.debug && protect != Protect::None {
        table.problem("ktor.transform", "[] leaves the token to everybody; write [\"mac\"] or [\"encrypt\"], or `protect = \"none\"` with `allow_insecure = true`");
    }
    if ktor.has(KtorTransform::Encrypt) {
        let message = if ktor_use == KtorUse::Written {
            "anybody can change the first 16 bytes of an encrypted Ktor session without a key: its MAC leaves out the IV. \
             Migrate: `format = \"native\"` with `accept = [\"ktor\"]`"
        } else {
            "as long as Ktor's encrypted sessions are accepted, anybody can change the first 16 bytes of one: \
             remove \"ktor\" from `accept` when everybody has migrated"
        };
        table.warning("ktor.transform", message);
    }
    Some(ktor)
}

/// What Ktor's format has no room for.
fn refuse_with_ktor(table: &mut Table<'_, '_>, revocation: bool, key_reload: bool) {
    let why = "Ktor's format has no room for it; remove it, or write `format = \"native\"`";
    let grace = table.has("renewal_grace")
        && !table.duration_or_zero("renewal_grace").unwrap_or_default().is_zero();
    for (key, set) in [
        ("revocation", revocation),
        ("key_reload", key_reload),
        ("renewal_grace", grace),
        ("renew_after", duration_or_never(table, "renew_after").is_some()),
        ("suite", table.has("suite")),
    ] {
        if set {
            table.problem(key, why);
        }
    }
}

/// How many sessions an owner may have; `None` for any number.
fn owner_limit(table: &mut Table<'_, '_>, on_server: bool) -> Option<OwnerLimit> {
    let policies =
        [("end-oldest", OwnerLimitPolicy::EndOldest), ("refuse", OwnerLimitPolicy::Refuse)];
    let policy = table.choice("owner_limit_policy", &policies);
    let max = table.integer("max_sessions_per_owner").filter(|max| *max > 0)?;
    if !on_server {
        table.problem(
            "max_sessions_per_owner",
            "sessions on the client cannot be counted; remove it, or write a server storage",
        );
    }
    Some(OwnerLimit { max, policy: policy.unwrap_or(OwnerLimitPolicy::EndOldest) })
}

/// A duration; `None` for the word "never".
fn duration_or_never(table: &mut Table<'_, '_>, key: &'static str) -> Option<Duration> {
    match table.value(key) {
        Some(Value::String(_, word)) if word == "never" => None,
        _ => table.duration(key),
    }
}

/// When to read the files of the keys again; `None` for never.
fn key_reload(table: &mut Table<'_, '_>, keys: &[KeyMaterial]) -> Option<KeyReload> {
    let every = duration_or_never(table, "key_reload")?;
    let own = ["secret_file", "sign_key_file", "encrypt_key_file"];
    if table.context.root_file.is_none() && !own.iter().any(|file| table.has(file)) {
        table.problem("key_reload", "reads files again, and no key comes from one; write `secret_file = \"…\"` or remove it");
    }
    Some(KeyReload { every, files: keys::files(table, keys) })
}

fn transport(
    table: &mut Table<'_, '_>,
    word: &str,
    name: &str,
    has_cookie: bool,
    registered: &super::Registered,
) -> Option<TransportConfig> {
    if has_cookie {
        table.problem("cookie", format!("would be ignored with `transport = {word:?}`; remove it"));
    }
    if word == "header" {
        if !is_token(name) {
            table.problem(
                "name",
                format!("{name:?} cannot be a header's name; use letters, digits, `-` and `_`"),
            );
        } else if is_reserved(name) {
            table.problem(
                "name",
                format!("{name:?} is a header with a meaning of its own; choose another"),
            );
        }
        return Some(TransportConfig::Header);
    }
    if registered.transports.iter().any(|known| known == word) {
        return Some(TransportConfig::Custom(word.to_owned()));
    }
    let hint = format!(
        "{word:?} is neither \"cookie\" nor \"header\" nor registered; write `.attach(Sessions::fairing().transport({word:?}, …))`"
    );
    table.problem("transport", hint);
    None
}

fn protect(table: &mut Table<'_, '_>, on_server: bool) -> Protect {
    let choices = [("encrypt", Protect::Encrypt), ("sign", Protect::Sign), ("none", Protect::None)];
    let default = if on_server { Protect::Sign } else { Protect::Encrypt };
    let protect = table.choice("protect", &choices).unwrap_or(default);
    let is_ktor = matches!(table.value("format"), Some(Value::String(_, word)) if word == "ktor");
    if on_server && protect == Protect::Encrypt && !is_ktor {
        table.problem("protect", "an id needs no encryption: with server storage write \"sign\"");
        return Protect::Sign;
    }
    protect
}

/// Idle and absolute timeout. If only one is given, the other's default gives way.
fn timeouts(table: &mut Table<'_, '_>) -> (Duration, Duration) {
    match (table.duration("idle_timeout"), table.duration("absolute_timeout")) {
        (Some(idle), Some(absolute)) => {
            if idle > absolute {
                table.problem(
                    "idle_timeout",
                    "longer than `absolute_timeout`, so it could never end a session; shorten it",
                );
            }
            (idle, absolute)
        }
        (Some(idle), None) => (idle, ABSOLUTE.max(idle)),
        (None, Some(absolute)) => (IDLE.min(absolute), absolute),
        (None, None) => (IDLE, ABSOLUTE.max(DAY)),
    }
}

fn transform(table: &mut Table<'_, '_>, registered: &super::Registered) -> Vec<String> {
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
