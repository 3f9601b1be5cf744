//! Every key, every refusal, every source, as a user writes them.

// The type of a closure in a jail is figment's.
#![allow(clippy::result_large_err)]

use std::time::Duration;

use figment::Jail;

use super::*;
use super::{CSRF_FIELD, CSRF_HEADER, Origin};
use crate::crypto::aead::Suite;
use crate::crypto::keys::KeyMaterial;

#[cfg(all(feature = "redis", feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod servers;

const KEY: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";

fn registered() -> Registered {
    let names = |name: &str| vec![name.to_owned()];
    Registered { storages: names("mine"), transports: names("bearer"), transformers: names("zip") }
}

/// What Rocket.toml and these environment variables amount to.
fn read_toml(toml: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let mut result = None;
    Jail::expect_with(|jail| {
        jail.create_file("Rocket.toml", toml)?;
        for (name, value) in environment {
            jail.set_env(name, value);
        }
        result = Some(read(&rocket::Config::figment(), &registered()));
        Ok(())
    });
    result.expect("the jail ran")
}

fn debug(toml: &str) -> Config {
    read_toml(toml, &[("ROCKET_PROFILE", "debug")]).expect("no problem")
}

/// In the release profile, with a key.
fn release(toml: &str) -> Result<Config, Vec<Problem>> {
    read_toml(toml, &[("ROCKET_PROFILE", "release"), ("ROCKET_SESSIONS__SECRET", KEY)])
}

fn texts(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn cookie(session: &SessionConfig) -> &CookieConfig {
    match &session.transport {
        TransportConfig::Cookie(cookie) => cookie,
        other => panic!("{other:?} is no cookie"),
    }
}

#[test]
fn s6_s34_the_defaults_are_secure() {
    let config = release("[default.sessions.user]").expect("no problem");
    let session = &config.sessions["user"];
    assert_eq!((session.protect, session.suite), (Protect::Encrypt, Suite::A128CbcHs256));
    assert!(session.storage.is_none() && session.wire_name == "user");
    assert_eq!((&*session.csrf.field, &*session.csrf.header), (CSRF_FIELD, CSRF_HEADER));
    assert!(session.csrf.trusted.is_empty() && session.csrf_keys.is_empty());
    assert_eq!(session.lifetime.idle, Duration::from_secs(7 * 86_400));
    assert_eq!(session.lifetime.absolute, Duration::from_secs(30 * 86_400));
    assert_eq!(session.lifetime.touch_after, session.lifetime.idle / 10);
    assert_eq!((session.max_payload, session.storage_timeout), (65_536, Duration::from_secs(2)));
    let cookie = cookie(session);
    assert!(cookie.secure && cookie.http_only && !cookie.partitioned && cookie.domain.is_none());
    assert_eq!((cookie.path.as_str(), cookie.same_site), ("/", SameSite::Lax));
    let promise = session.lifetime.idle + session.lifetime.touch_after;
    assert_eq!(cookie.max_age, Some(promise));
    assert!(config.warnings.is_empty());

    let config = release("[default.sessions.user]\nstorage = \"memory\"").expect("no problem");
    let session = &config.sessions["user"];
    assert_eq!(session.protect, Protect::Sign);
    assert_eq!(self::cookie(session).max_age, Some(session.lifetime.absolute));
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
fn ktors_forgeable_block_and_short_keys_are_named_at_launch() {
    let keys = "sign_key = 'hex:a1b2c3d4e5f60718293a'\nencrypt_key = 'hex:a1b2c3d4e5f60718293a4b5c6d7e8f90'";
    let warnings = |more: &str| {
        // Short keys and all that are Ktor's: refused only where they are known to all.
        let toml = format!("[default.sessions.user]\n{keys}\n{more}");
        release(&toml).expect("no problem").warnings.join("\n")
    };
    let written = warnings("format = 'ktor'");
    assert!(written.contains("the first 16 bytes") && written.contains("accept = [\"ktor\"]"));
    assert!(written.contains("`sessions.user.sign_key`: a key of less than 32 bytes"), "{written}");
    let secret = "secret = 'hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978'";
    let accepted = warnings(&format!("accept = ['ktor']\n{secret}"));
    assert!(accepted.contains("remove \"ktor\" from `accept`"), "{accepted}");
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
    assert_eq!((user.suite, user.max_payload), (Suite::A256CbcHs512, 2048));
    assert_eq!((&*user.csrf.field, &*user.csrf.header), ("_csrf", "X-XSRF-Token"));
    assert_eq!(user.csrf.trusted, [Origin::parse("https://pay.example").expect("an origin")]);
    assert_eq!(user.lifetime.absolute, Duration::from_secs(28_800));
    assert_eq!((user.lifetime.touch_after, user.transform.len()), (Duration::ZERO, 1));
    let cookie = cookie(user);
    assert_eq!((cookie.max_age, cookie.domain.as_deref()), (None, Some("example.com")));
    assert_eq!(
        cookie.extensions,
        [("Flag".into(), String::new()), ("Priority".into(), "High".into())]
    );
    assert!(
        matches!(&config.sessions["api"].transport, TransportConfig::Custom(name) if name == "bearer")
    );
    let Some(StorageConfig::Directory { path }) = &config.sessions["cart"].storage else {
        panic!("no directory")
    };
    assert!(
        path.is_absolute() && path.ends_with("build/.sessions"),
        "relative to Rocket.toml: {path:?}"
    );
}

/// As `REFUSED`, of what needs a feature to be read at all.
#[cfg(all(feature = "redis", feature = "postgres", feature = "mysql", feature = "sqlite"))]
const REFUSED_OF_FEATURES: &[(&str, &str, &str)] = &[
    (
        "storage = { type = 'redis', url = ['redis://a', 'redis://b'], sentinels = 'redis://c' }",
        "storage.url",
        "url = \"redis://mymaster/\"",
    ),
    (
        "storage = { type = 'redis', url = 'redis://a', sentinels = ['c'] }",
        "storage.sentinels",
        "sentinels = [",
    ),
    ("storage = { type = 'redis', url = ['redis://a', 7] }", "storage.url", "redis://127.0.0.1/"),
    ("storage = { type = 'postgres' }", "storage.url", "postgres://user@localhost/database"),
    ("storage = { type = 'mysql', url = 'postgres://a' }", "storage.url", "mysql://"),
    ("storage = { type = 'sqlite' }", "storage.path", "sessions.db"),
    ("storage = { type = 'sqlite', url = 'sqlite::memory:' }", "storage.url", "sessions.db"),
    (
        "storage = { type = 'sqlite', path = 'x', table = 'a-b' }",
        "storage.table",
        "table = \"sessions\"",
    ),
    (
        "storage = { type = 'sqlite', path = 'x', max_connections = 0 }",
        "storage.max_connections",
        "at least 1",
    ),
    (
        "storage = { type = 'sqlite', path = 'x' }\ncache = { capacity = 0 }",
        "cache.capacity",
        "at least 1",
    ),
    (
        "storage = { type = 'sqlite', path = 'x' }\ncache = { size = 1 }",
        "cache.size",
        "unknown key",
    ),
];
#[cfg(not(all(feature = "redis", feature = "postgres", feature = "mysql", feature = "sqlite")))]
const REFUSED_OF_FEATURES: &[(&str, &str, &str)] = &[];

/// The table's lines, the path that is named, a part of what is said.
const REFUSED: &[(&str, &str, &str)] = &[
    ("idle_timeou = 1", "idle_timeou", "did you mean `idle_timeout`?"),
    ("transport = 'kookie'", "transport", ".transport(\"kookie\", …)"),
    ("storage = 'redis'", "storage", "url = \"redis://127.0.0.1/\""),
    ("storage = 'postgres'", "storage", "url = \"postgres://user@localhost/database\""),
    ("storage = 'mysql'", "storage", "url = \"mysql://user@localhost/database\""),
    ("storage = 'sqlite'", "storage", "path = \"sessions.db\""),
    ("storage = 'memory'\ncache = {}", "cache", "remove it"),
    ("storage = { type = 'mongodb' }", "storage.type", "is none of"),
    ("storage = 'elsewhere'", "storage", ".storage(\"elsewhere\", …)"),
    ("storage = 'directory'", "storage", "path = \"build/.sessions\""),
    ("storage = { capacity = 1 }", "storage.type", "type = \"memory\""),
    ("storage = { type = 'memory', capacity = 0 }", "storage.capacity", "at least 1"),
    ("storage = { type = 'memory', path = 'x' }", "storage.path", "unknown key"),
    ("protect = 'hash'", "protect", "\"encrypt\", \"sign\", \"none\""),
    ("protect = 'none'", "protect", "allow_insecure = true"),
    (
        "protect = 'none'\nallow_insecure = true\nsign_key = 'hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978'",
        "protect",
        "a `secret` for CSRF tokens",
    ),
    ("protect = 'none'\nallow_insecure = true\nsecret = 'short'", "secret", "openssl rand"),
    (
        "format = 'ktor'\nsign_key = 'hex:a1b2c3d4'\nencrypt_key = 'hex:a1b2c3d4e5f60718293a4b5c6d7e8f90'\nsecret = 'hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978'",
        "secret",
        "the keys of the Ktor service",
    ),
    (
        "format = 'ktor'\nprotect = 'none'\nallow_insecure = true\nsecret = 'hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978'",
        "secret",
        "remove it",
    ),
    ("csrf = true", "csrf", "expected a table"),
    ("csrf = 'csrf_token'", "csrf", "expected a table"),
    ("csrf = { fields = 'x' }", "csrf.fields", "did you mean `field`?"),
    ("csrf = { field = '' }", "csrf.field", "csrf_token"),
    ("csrf = { field = true }", "csrf.field", "a text in quotes"),
    ("csrf = { field = \"a\\nb\" }", "csrf.field", "csrf_token"),
    ("csrf = { field = '_method' }", "csrf.field", "choose another"),
    ("csrf = { header = '' }", "csrf.header", "cannot be a header's name"),
    ("csrf = { header = 'X CSRF' }", "csrf.header", "cannot be a header's name"),
    ("csrf = { header = [] }", "csrf.header", "a text in quotes"),
    ("csrf = { header = 'Cookie' }", "csrf.header", "meaning of its own"),
    ("csrf = { header = 'oRIGIN' }", "csrf.header", "meaning of its own"),
    ("csrf = { header = 'Sec-Fetch-Site' }", "csrf.header", "meaning of its own"),
    (
        "transport = 'header'\nname = 'X-User'\ncsrf = { header = 'x-user' }",
        "csrf.header",
        "carries `sessions.user`",
    ),
    (
        "csrf = { trusted_origins = 'https://pay.example' }",
        "csrf.trusted_origins",
        "[\"https://pay.example\"]",
    ),
    ("csrf = { trusted_origins = [7] }", "csrf.trusted_origins", "[\"https://pay.example\"]"),
    ("csrf = { trusted_origins = [''] }", "csrf.trusted_origins", "scheme://host[:port]"),
    ("csrf = { trusted_origins = ['*'] }", "csrf.trusted_origins", "scheme://host[:port]"),
    ("csrf = { trusted_origins = ['null'] }", "csrf.trusted_origins", "scheme://host[:port]"),
    (
        "csrf = { trusted_origins = ['pay.example'] }",
        "csrf.trusted_origins",
        "scheme://host[:port]",
    ),
    (
        "csrf = { trusted_origins = ['https://a.example', 'https://pay.example/'] }",
        "csrf.trusted_origins",
        "\"https://pay.example/\" is no origin",
    ),
    ("csrf = { trusted_origins = ['https://bücher.example'] }", "csrf.trusted_origins", "xn--"),
    ("protect = 'encrypt'\nstorage = 'memory'", "protect", "write \"sign\""),
    ("suite = 'A128GCM'", "suite", "\"A256CBC-HS512\""),
    ("format = 'kotlin'", "format", "\"ktor\""),
    ("format = 'ktor'", "sign_key", "the key of the Ktor service"),
    ("accept = 'ktor'", "accept", "[\"ktor\"]"),
    ("ktor = { mac = 'HmacSHA1' }", "ktor", "format = \"ktor\""),
    ("cache = { capacity = 1 }", "cache", "a storage on a server or a registered one"),
    ("renewal_grace = 5", "renewal_grace", "write a server storage"),
    ("renew_after = '1 hour'", "renew_after", "write a server storage"),
    ("renew_after = 'sometimes'", "renew_after", "\"7 days\""),
    ("renew_after = 0", "renew_after", "longer than zero"),
    ("remember_client = true", "remember_client", "write a server storage"),
    ("remember_client = 'yes'", "remember_client", "true"),
    ("idle_timeout = 0", "idle_timeout", "longer than zero"),
    ("idle_timeout = -1", "idle_timeout", "whole seconds"),
    ("idle_timeout = 'soon'", "idle_timeout", "\"7 days\""),
    ("absolute_timeout = '101 years'", "absolute_timeout", "100 years"),
    ("absolute_timeout = 18446744073709551616.0", "absolute_timeout", "whole seconds"),
    ("idle_timeout = 2\nabsolute_timeout = 1", "idle_timeout", "absolute_timeout"),
    ("max_payload = '64 parsecs'", "max_payload", "\"64 KiB\""),
    ("transform = ['gzip']", "transform", ".transformer(\"gzip\", …)"),
    ("transport = 'header'\nname = 'Set-Cookie'", "name", "meaning of its own"),
    ("transport = 'header'\nname = 'content-LENGTH'", "name", "meaning of its own"),
    ("transport = 'header'\nname = 'a b'", "name", "cannot be a header's name"),
    ("transport = 'header'\ncookie = {}", "cookie", "remove it"),
    ("name = 'a;b'", "cookie.prefix", "cannot be a cookie's name"),
    ("cookie = { secure = false }", "cookie.secure", "allow_insecure = true"),
    ("cookie = { http_only = false }", "cookie.http_only", "allow_insecure = true"),
    ("cookie = { prefix = 'host', path = '/x' }", "cookie.path", "__Host-"),
    ("cookie = { prefix = 'host', domain = 'x.org' }", "cookie.domain", "__Host-"),
    (
        "allow_insecure = true\ncookie = { prefix = 'secure', secure = false }",
        "cookie.secure",
        "__Secure-",
    ),
    (
        "allow_insecure = true\ncookie = { prefix = 'http', http_only = false }",
        "cookie.http_only",
        "__Http-",
    ),
    ("name = '__hOsT-x'\ncookie = { path = '/x' }", "cookie.path", "__Host-"),
    (
        "name = '__host-hTTp-x'\nallow_insecure = true\ncookie = { http_only = false }",
        "cookie.http_only",
        "__Host-Http-",
    ),
    (
        "allow_insecure = true\ncookie = { same_site = 'none', secure = false }",
        "cookie.same_site",
        "secure = true",
    ),
    (
        "allow_insecure = true\ncookie = { partitioned = true, secure = false }",
        "cookie.partitioned",
        "secure = true",
    ),
    ("cookie = { path = 'x' }", "cookie.path", "begin with `/`"),
    ("cookie = { path = '/;x' }", "cookie.path", "no `;`"),
    ("cookie = { domain = \"a\\nb\" }", "cookie.domain", "line break"),
    ("cookie = { extensions = { httponly = '' } }", "cookie.extensions.httponly", "key of its own"),
    ("cookie = { extensions = { A = 'b; Domain=x' } }", "cookie.extensions.A", "no `;`"),
    ("cookie = { max_age = 0 }", "cookie.max_age", "longer than zero"),
    ("secret = 'short'", "secret", "openssl rand -base64 32"),
    ("secret = 'hex:0011'", "secret", "at least 32"),
    ("secret = []", "secret", "holds no key"),
    ("secret = []\nsign_key = 'x'", "secret", "keep one or the other"),
    ("secret_file = '/nowhere'", "secret_file", "cannot be read"),
    (
        "sign_key = 'hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978'",
        "sign_key",
        "encrypt_key",
    ),
    ("encrypt_key = 11223344", "encrypt_key", "hex:… or base64:…"),
    ("revocation = 'elsewhere'", "revocation", ".storage(\"elsewhere\", …)"),
    ("revocation = 'memory'\nstorage = 'memory'", "revocation", "remove it"),
    ("max_sessions_per_owner = 3", "max_sessions_per_owner", "server storage"),
    ("max_sessions_per_owner = -1", "max_sessions_per_owner", "whole number"),
    ("owner_limit_policy = 'newest'", "owner_limit_policy", "\"end-oldest\", \"refuse\""),
    ("key_reload = 60", "key_reload", "secret_file"),
    ("key_reload = 0", "key_reload", "longer than zero"),
    ("encrypt_key = '00112233445566778899aabbccddeeff'", "encrypt_key", "documentation shows"),
    (
        "protect = 'sign'\nencrypt_key = 'hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e'",
        "encrypt_key",
        "sign_key",
    ),
];

#[test]
fn s7_s8_s19_s61_s62_s63_every_misconfiguration_is_refused_with_what_to_write() {
    for (lines, path, expected) in REFUSED.iter().chain(REFUSED_OF_FEATURES) {
        let problems = release(&format!("[default.sessions.user]\n{lines}")).expect_err(lines);
        let path = format!("`sessions.user.{path}`: ");
        let fits = |text: &str| text.starts_with(&path) && text.contains(expected);
        let all = texts(&problems);
        assert!(all.lines().any(fits), "{lines}: no {path}…{expected} in {all}");
    }
}

#[test]
fn every_problem_is_reported_at_once_with_its_source() {
    let toml = "[default.sessions.user]\nnam = 1\ntransport = 'x'\n[default.sessions.Bad]\n[sessions.wrong]";
    let text = texts(&release(toml).expect_err("wrong"));
    for part in [
        "`sessions.user.transport`",
        "`sessions.Bad`: not a session's name",
        "[default.sessions.…]",
        "Rocket.toml",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let both = "[default.sessions.one]\nname = 's'\n[default.sessions.two]\nname = 's'";
    assert!(texts(&release(both).expect_err("wrong")).contains("the name of `sessions.one` too"));
    let missing =
        read_toml("[default.sessions.user]", &[("ROCKET_PROFILE", "staging")]).expect_err("no key");
    assert!(texts(&missing).contains("ROCKET_SESSIONS__SECRET"));
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
            ("ROCKET_SESSIONS__USER__CSRF__FIELD", "1234"),
            ("ROCKET_SESSIONS__USER__CSRF__TRUSTED_ORIGINS", "[\"https://pay.example\"]"),
        ],
    );
    let config = config.expect("no problem");
    let user = &config.sessions["user"];
    assert_eq!((user.lifetime.idle, user.wire_name.as_str()), (Duration::from_secs(3), "file"));
    assert_eq!(user.storage, Some(StorageConfig::Memory { capacity: 5 }));
    assert_eq!(cookie(user).path, "/x");
    assert_eq!((&*user.csrf.field, &*user.csrf.header), ("1234", CSRF_HEADER));
    assert_eq!(user.csrf.trusted, [Origin::parse("https://pay.example").expect("an origin")]);
}

#[test]
fn where_tokens_have_no_native_key_their_csrf_tokens_have_their_own_if_any() {
    let open = "protect = 'none'\nallow_insecure = true";
    let signed =
        "sign_key = ['hex:a1b2c3d4', 'hex:a1b2c3d5']\nprotect = 'sign'\nstorage = 'memory'";
    let signed = format!("format = 'ktor'\n{signed}");
    let unsigned = format!("format = 'ktor'\nstorage = 'memory'\n{open}");
    let accepts = format!("accept = ['ktor']\n{open}");
    let of = |lines: &str, with_root: bool| {
        let toml = format!("[default.sessions.user]\n{lines}");
        let root = with_root.then_some(("ROCKET_SESSIONS__SECRET", KEY));
        let variables: Vec<_> = [("ROCKET_PROFILE", "release")].into_iter().chain(root).collect();
        let config = read_toml(&toml, &variables).map_err(|problems| texts(&problems));
        let mut config = config.unwrap_or_else(|problems| panic!("{lines}: {problems}"));
        let session = config.sessions.remove("user").expect("the session");
        assert!(session.keys.is_empty(), "{lines}");
        session.csrf_keys
    };
    let own = format!("\nsecret = ['{KEY}', '{KEY}ff']");
    for lines in [open, &unsigned] {
        assert!(of(lines, false).is_empty(), "{lines}");
        assert!(matches!(of(lines, true)[..], [KeyMaterial::Secret(_)]), "{lines}");
        let both = of(&format!("{lines}{own}"), true);
        assert!(matches!(both[..], [KeyMaterial::Secret(_), KeyMaterial::Secret(_)]), "{lines}");
    }
    assert!(matches!(of(&accepts, true)[..], [KeyMaterial::Secret(_)]));
    for with_root in [false, true] {
        let signs = of(&signed, with_root);
        assert!(matches!(signs[..], [KeyMaterial::Sign(_), KeyMaterial::Sign(_)]), "{signs:?}");
    }
}

#[test]
fn a_csrf_header_that_proxies_drop_is_named_and_one_that_carries_another_session_refused() {
    let config = release("[default.sessions.user]\ncsrf = { header = 'X_CSRF' }").expect("fine");
    assert!(config.warnings[0].contains("`sessions.user.csrf.header`: nginx drops"));
    let other = "[default.sessions.api]\ntransport = 'header'\nname = 'X-CSRF-token'\n[default.sessions.user]";
    let problems = texts(&release(other).expect_err("wrong"));
    assert!(
        problems.contains("`sessions.user.csrf.header`")
            && problems.contains("`sessions.api.csrf.header`")
    );
}

#[test]
fn keys_come_from_tables_lists_files_and_the_root() {
    let other = "base64:Gz1fcJKkxujw4dLDtKWWh3hpWks8LR4Pn45tfUs6OSA=";
    let config = release(&format!(
        "[default.sessions.root]\n[default.sessions.own]\nsecret = ['{KEY}', '{other}']\n\
         [default.sessions.pair]\nencrypt_key = '{other}'\nsign_key = '{KEY}'"
    ));
    let config = config.expect("no problem");
    let keys = |name: &str| &config.sessions[name].keys;
    assert!(matches!(keys("root")[..], [KeyMaterial::Secret(_)]));
    assert!(matches!(keys("own")[..], [KeyMaterial::Secret(_), KeyMaterial::Secret(_)]));
    assert!(matches!(keys("pair")[..], [KeyMaterial::EncryptAndSign { .. }]));

    Jail::expect_with(|jail| {
        jail.create_file("keys", &format!("{KEY}\n\n{other}\n"))?;
        jail.create_file(
            "Rocket.toml",
            "[default.sessions]\nsecret_file = 'keys'\n[default.sessions.user]",
        )?;
        jail.set_env("ROCKET_PROFILE", "release");
        let config = read(&rocket::Config::figment(), &registered()).expect("no problem");
        assert_eq!(config.sessions["user"].keys.len(), 2);
        assert!(
            config.warnings.iter().any(|warning| warning.contains("chmod 600")),
            "{:?}",
            config.warnings
        );
        Ok(())
    });
}

#[test]
fn s51_no_message_shows_a_key() {
    let canary = "CANARYCANARYCANARYCANARYCANARYCANARY!!";
    for line in ["secret", "sign_key", "encrypt_key", "unknown"] {
        let problems =
            release(&format!("[default.sessions.user]\n{line} = '{canary}'")).expect_err("wrong");
        let debugged = format!("{problems:?}");
        assert!(!texts(&problems).contains("CANARY") && !debugged.contains("CANARY"), "{debugged}");
    }
    let number = read_toml(
        "[default.sessions.user]",
        &[("ROCKET_SESSIONS__USER__SECRET", "0011223344556677")],
    );
    assert!(!texts(&number.expect_err("a number")).contains("1122334455"));
    let config = debug(&format!("[default.sessions.user]\nsecret = '{KEY}'"));
    assert!(
        !format!("{config:?}").contains("8f2a") && format!("{config:?}").contains("[provided]")
    );
}
