//! Every key and every source, written as a user writes them.

// The type of a closure in a jail is figment's.
#![allow(clippy::result_large_err)]

use std::time::Duration;

use figment::Jail;

use super::*;
use super::{CSRF_FIELD, CSRF_HEADER, Origin};
use crate::crypto::aead::Suite;
use crate::storage::StorageSettings;
use crate::table::{Field, duration_text};
use crate::transport::CookieSettings;

mod keys;
mod merging;
#[cfg(all(feature = "redis", feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod pages;
mod random;
mod reference;
mod refusals;
#[cfg(all(feature = "redis", feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod servers;

const KEY: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";

fn registered() -> Registered {
    let names = |name: &str| vec![name.to_owned()];
    Registered {
        storages: names("mine"),
        transports: names("bearer"),
        transformers: names("zip"),
        ..Registered::default()
    }
}

/// Reads a Rocket.toml together with environment variables.
fn read_toml(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<Problem>> {
    read_with(&registered(), &[("Rocket.toml", toml)], environment)
}

/// The same, with what the application gave to the fairing, and with other files.
fn read_with(
    registered: &Registered,
    files: &[(&str, &str)],
    environment: &[(&str, &str)],
) -> Result<Settings, Vec<Problem>> {
    let mut result = None;
    Jail::expect_with(|jail| {
        for (name, content) in files {
            jail.create_file(name, content)?;
        }
        for (name, value) in environment {
            jail.set_env(name, value);
        }
        result = Some(read(&rocket::Config::figment(), registered));
        Ok(())
    });
    result.expect("the jail ran")
}

fn debug(toml: &str) -> Settings {
    read_toml(toml, &[("ROCKET_PROFILE", "debug")]).expect("no problem")
}

/// Reads the table of a session with a key, in the release profile.
fn release(toml: &str) -> Result<Settings, Vec<Problem>> {
    read_toml(toml, &[("ROCKET_PROFILE", "release"), ("ROCKET_SESSIONS__SECRET", KEY)])
}

fn texts(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn cookie(session: &SessionSettings) -> &CookieSettings {
    match &session.transport {
        TransportSettings::Cookie(cookie) => cookie,
        other => panic!("{other:?} is no cookie"),
    }
}

#[test]
fn s6_s34_the_defaults_are_secure() {
    let config = release("[default.sessions.user]").expect("no problem");
    let session = &config.sessions["user"];
    let protection = &session.protection;
    assert_eq!((protection.protect, protection.suite), (Protect::Encrypt, Suite::A128CbcHs256));
    assert!(session.storage.is_none() && session.wire_name == "user");
    assert_eq!((&*session.csrf.field, &*session.csrf.header), (CSRF_FIELD, CSRF_HEADER));
    assert!(session.csrf.trusted.is_empty() && protection.keys.csrf.is_empty());
    assert_eq!(session.timeouts.idle, Duration::from_secs(7 * 86_400));
    assert_eq!(session.timeouts.absolute, Duration::from_secs(30 * 86_400));
    assert_eq!(session.timeouts.touch_after, session.timeouts.idle / 10);
    assert_eq!((session.max_payload, session.storage_timeout), (65_536, Duration::from_secs(2)));
    let cookie = cookie(session);
    assert!(cookie.secure && cookie.http_only && !cookie.partitioned && cookie.domain.is_none());
    assert_eq!((cookie.path.as_str(), cookie.same_site), ("/", SameSite::Lax));
    let promise = session.timeouts.idle + session.timeouts.touch_after;
    assert_eq!(cookie.max_age, Some(promise));
    assert!(config.warnings.is_empty());

    let config = release("[default.sessions.user]\nstorage = \"memory\"").expect("no problem");
    let session = &config.sessions["user"];
    assert_eq!(session.protection.protect, Protect::Sign);
    assert_eq!(self::cookie(session).max_age, Some(session.timeouts.absolute));
}

#[test]
fn the_debug_profile_runs_without_keys_and_without_tls_and_says_so_once() {
    let config = debug("[default.sessions.one]\n[default.sessions.two]\nstorage = \"memory\"");
    assert!(!cookie(&config.sessions["one"]).secure);
    assert_eq!(config.warnings.len(), 1);
    assert!(
        config.warnings[0].contains("`one`, `two`")
            && config.warnings[0].contains("ROCKET_SESSIONS__SECRET")
    );
}

#[test]
fn a_duration_is_written_in_units_that_can_be_read_again() {
    for (duration, text) in [
        (Duration::ZERO, "0s"),
        (Duration::from_millis(1500), "1 second 500ms"),
        (Duration::from_secs(60), "1 minute"),
        (Duration::from_secs(604_800 * 11 / 10), "7 days 16 hours 48 minutes"),
        (Duration::from_secs(400 * 86_400), "400 days"),
    ] {
        assert_eq!(duration_text(duration), text);
        let value = Value::from(text);
        assert_eq!(<Duration as Field>::from_value(&value), Ok(duration), "{text}");
    }
}

#[test]
fn every_key_is_read() {
    let config = release(
        r#"
        [default.sessions]
        app = "shop"
        [default.sessions.user]
        transport = "cookie"
        name = "u"
        protect = "encrypt"
        suite = "A256CBC-HS512"
        idle_timeout = "30 minutes"
        absolute_timeout = 28800
        touch_after = 0
        max_payload = "2 KiB"
        storage_timeout = "500 ms"
        transform = ["zip"]
        format = "native"
        accept = []
        renewal_grace = 0
        renew_after = "never"
        max_sessions_per_owner = 0
        owner_limit_policy = "end-oldest"
        remember_client = false
        revocation = "none"
        key_reload = "never"
        allow_insecure = false
        csrf = { field = "_csrf", header = "X-XSRF-Token", trusted_origins = ["https://Pay.example:443"] }
        [default.sessions.user.cookie]
        path = "/shop"
        domain = "example.com"
        max_age = "session"
        secure = true
        http_only = true
        same_site = "none"
        partitioned = true
        prefix = "secure"
        extensions = { Priority = "High", Flag = "" }
        [default.sessions.api]
        transport = "bearer"
        storage = "mine"
        [default.sessions.cart]
        transport = "header"
        storage = { type = "directory", path = "build/.sessions" }
        "#,
    )
    .expect("no problem");
    let user = &config.sessions["user"];
    assert_eq!((user.app.as_str(), user.wire_name.as_str()), ("shop", "__Secure-u"));
    assert_eq!((user.protection.suite, user.max_payload), (Suite::A256CbcHs512, 2048));
    assert_eq!((&*user.csrf.field, &*user.csrf.header), ("_csrf", "X-XSRF-Token"));
    assert_eq!(user.csrf.trusted, [Origin::parse("https://pay.example").expect("an origin")]);
    assert_eq!(user.timeouts.absolute, Duration::from_secs(28_800));
    assert_eq!((user.timeouts.touch_after, user.transform.len()), (Duration::ZERO, 1));
    let cookie = cookie(user);
    assert_eq!((cookie.max_age, cookie.domain.as_deref()), (None, Some("example.com")));
    assert_eq!(
        cookie.extensions,
        [("Flag".into(), String::new()), ("Priority".into(), "High".into())]
    );
    assert!(
        matches!(&config.sessions["api"].transport, TransportSettings::Custom(name) if name == "bearer")
    );
    let cart = config.sessions["cart"].storage.as_ref();
    let path = cart.and_then(StorageSettings::folder).expect("a directory");
    assert!(
        path.is_absolute() && path.ends_with("build/.sessions"),
        "relative to Rocket.toml: {path:?}"
    );
}

#[test]
fn the_environment_beats_the_file_and_deeper_keys_beat_shallower_ones() {
    let toml =
        "[default.sessions.user]\nidle_timeout = 1\nstorage = { type = 'directory', path = 'x' }";
    let config = read_toml(
        toml,
        &[
            ("ROCKET_SESSIONS", "{user={idle_timeout=2,name=\"file\"}}"),
            ("ROCKET_SESSIONS__USER__IDLE_TIMEOUT", "3"),
            ("ROCKET_SESSIONS__USER__STORAGE", "memory"),
            ("ROCKET_SESSIONS__USER__STORAGE__CAPACITY", "5"),
            ("ROCKET_SESSIONS__USER__COOKIE__PATH", "/x"),
            ("ROCKET_SESSIONS__USER__CSRF__FIELD", "\"1234\""),
            ("ROCKET_SESSIONS__USER__CSRF__TRUSTED_ORIGINS", "[\"https://pay.example\"]"),
        ],
    );
    let config = config.expect("no problem");
    let user = &config.sessions["user"];
    assert_eq!((user.timeouts.idle, user.wire_name.as_str()), (Duration::from_secs(3), "file"));
    let storage = user.storage.as_ref().expect("a storage");
    assert_eq!(storage.to_string(), "memory, 5 records");
    assert_eq!(cookie(user).path, "/x");
    assert_eq!((&*user.csrf.field, &*user.csrf.header), ("1234", CSRF_HEADER));
    assert_eq!(user.csrf.trusted, [Origin::parse("https://pay.example").expect("an origin")]);
}

#[test]
fn equal_storage_tables_are_one_storage_and_no_others() {
    let table = |name: &str, line: &str| format!("[default.sessions.{name}]\nstorage = {line}\n");
    let is_one = |one: &str, other: &str| {
        let config = debug(&(table("one", one) + &table("other", other)));
        config.sessions["one"].storage == config.sessions["other"].storage
    };
    let all = [
        "'memory'",
        "{ type = 'memory', capacity = 5 }",
        "{ type = 'directory', path = 'x' }",
        "{ type = 'directory', path = 'y' }",
        "'mine'",
        "'mine'\ncache = { ttl = 5 }",
        "'mine'\ncache = { ttl = 6 }",
    ];
    for (n, one) in all.iter().enumerate() {
        for (m, other) in all.iter().enumerate() {
            assert_eq!(is_one(one, other), n == m, "{one} {other}");
        }
    }
    assert!(is_one("'memory'", "{ type = 'memory', capacity = 1_000_000 }"));
}
