//! The log's summary of the sessions at launch.

use crate::config::{Protect, Protection, SessionSettings, TransportSettings};

/// Describes a session as Rocket prints its own configuration. The text contains no keys.
pub(super) fn summary(name: &str, config: &SessionSettings) -> [String; 5] {
    let transport = match &config.transport {
        TransportSettings::Cookie(_) => "cookie",
        TransportSettings::Header => "header",
        TransportSettings::Custom(name) => name,
    };
    let storage = config.storage.as_ref().map_or_else(|| "client".into(), ToString::to_string);
    let Protection { protect, suite, keys, ktor, writes_ktor, .. } = &config.protection;
    let keys = keys.tokens.len();
    let protection = match protect {
        Protect::Encrypt => format!("encrypted ({})", suite.name()),
        Protect::Sign => "signed".to_owned(),
        Protect::None => "unprotected".to_owned(),
    };
    let protection = match ktor {
        Some(ktor) if *writes_ktor => {
            format!("Ktor's format, {:?}, {} key(s)", ktor.transform, ktor.keys.len())
        }
        Some(_) => {
            format!("{protection}, {keys} key(s); Ktor's sessions are accepted")
        }
        None => format!("{protection}, {keys} key(s)"),
    };
    let (idle, absolute) = (config.timeouts.idle, config.timeouts.absolute);
    [
        format!("Session `{name}`:"),
        format!("   >> {transport}: {}", config.wire_name),
        format!("   >> storage: {storage}"),
        format!("   >> protection: {protection}"),
        format!(
            "   >> timeouts: idle {}, absolute {}",
            humantime::format_duration(idle),
            humantime::format_duration(absolute)
        ),
    ]
}
