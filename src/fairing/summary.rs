//! The log's summary of the sessions at launch.

use crate::config::{Protect, Protection, SessionSettings, TransportSettings};
use crate::table::duration_text;
use crate::transport::{COOKIE_BYTES, CookieSettings};

/// Describes a session as Rocket prints its own configuration: what is in force, and where it was
/// written. The text contains no keys.
pub(super) fn summary(name: &str, settings: &SessionSettings) -> Vec<String> {
    let storage = settings.storage.as_ref().map_or_else(|| "client".into(), ToString::to_string);
    let mut lines = vec![
        transport(settings),
        format!("storage: {storage}"),
        format!("protection: {}", protection(settings)),
        format!("timeouts: {}", timeouts(settings)),
        format!("limits: {}", limits(settings)),
    ];
    lines.extend(settings.revocation.as_ref().map(|storage| format!("revocation: {storage}")));
    let written = settings.written.iter();
    lines.extend(written.map(|(source, keys)| format!("from {source}: {}", keys.join(", "))));
    lines.push("everything else by default".into());
    let lines = lines.into_iter().map(|line| format!("   >> {line}"));
    std::iter::once(format!("Session `{name}`:")).chain(lines).collect()
}

fn transport(settings: &SessionSettings) -> String {
    let name = &settings.wire_name;
    match &settings.transport {
        TransportSettings::Cookie(cookie) => format!("cookie: {name}{cookie}{}", kept(cookie)),
        TransportSettings::Header => format!("header: {name}"),
        TransportSettings::Custom(transport) => format!("{transport}: {name}"),
    }
}

fn kept(cookie: &CookieSettings) -> String {
    match cookie.max_age {
        Some(max_age) => format!(", kept for {}", duration_text(max_age)),
        None => ", kept until the browser is closed".into(),
    }
}

fn protection(settings: &SessionSettings) -> String {
    let protection = &settings.protection;
    let Protection { protect, suite, keys, ktor, writes_ktor, .. } = protection;
    let number = if *writes_ktor {
        ktor.as_ref().map_or(0, |ktor| ktor.keys.len())
    } else {
        keys.tokens.len()
    };
    let keys = match number {
        0 => "no key".to_owned(),
        1 => "1 key".to_owned(),
        _ => format!("{number} keys: the first protects new tokens, every key can read"),
    };
    let native = match protect {
        Protect::Encrypt => format!("encrypted ({})", suite.name()),
        Protect::Sign => "signed".to_owned(),
        Protect::None => "unprotected".to_owned(),
    };
    match ktor {
        Some(ktor) if *writes_ktor => format!("Ktor's format, {:?}, {keys}", ktor.transform),
        Some(_) => format!("{native}, {keys}; Ktor's sessions are accepted"),
        None => format!("{native}, {keys}"),
    }
}

fn timeouts(settings: &SessionSettings) -> String {
    let timeouts = &settings.timeouts;
    let renewed = timeouts.renew_after.map_or(String::new(), |renew_after| {
        format!(", renewed after {}", duration_text(renew_after))
    });
    format!(
        "idle {}, absolute {}, touched after {}{renewed}",
        duration_text(timeouts.idle),
        duration_text(timeouts.absolute),
        duration_text(timeouts.touch_after)
    )
}

fn limits(settings: &SessionSettings) -> String {
    let limit = settings.owner_limit;
    let sessions =
        limit.map_or(String::new(), |limit| format!(", {} sessions an owner", limit.max));
    // The client carries the payload in a cookie, which is smaller.
    let in_cookie = settings.storage.is_none()
        && matches!(settings.transport, TransportSettings::Cookie(_))
        && settings.max_payload > COOKIE_BYTES;
    let bytes = if in_cookie {
        format!("a cookie of {COOKIE_BYTES} bytes")
    } else {
        format!("{} bytes", settings.max_payload)
    };
    format!("{bytes}, {} for the storage{sessions}", duration_text(settings.storage_timeout))
}
