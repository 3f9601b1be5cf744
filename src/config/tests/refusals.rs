//! Every refusal and its message.

use super::*;

/// More rows like those of `REFUSED`. They need features to be read at all.
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

/// The lines of a table, the path that the message names, and a part of the message.
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
        "\"https://pay.example/\" is not an origin",
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
    ("cookie = { path = '/;x' }", "cookie.path", "must not contain `;`"),
    ("cookie = { domain = \"a\\nb\" }", "cookie.domain", "line break"),
    ("cookie = { extensions = { httponly = '' } }", "cookie.extensions.httponly", "key of its own"),
    (
        "cookie = { extensions = { A = 'b; Domain=x' } }",
        "cookie.extensions.A",
        "must not contain `;`",
    ),
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
