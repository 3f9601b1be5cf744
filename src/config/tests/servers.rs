//! Servers that other applications may use as well.

use super::*;

/// The line of a storage, and whether other applications may use its server as well.
const SHARED: [(&str, bool); 11] = [
    ("storage = { type = 'redis', url = 'redis://a' }", true),
    ("storage = { type = 'redis', url = ['redis://a', 'redis://b'] }", true),
    ("storage = { type = 'redis', url = 'redis://m', sentinels = ['redis://a'] }", true),
    ("storage = { type = 'postgres', url = 'postgres://a' }", true),
    ("storage = { type = 'mysql', url = 'mariadb://a' }\ncache = { ttl = 1 }", true),
    ("revocation = { type = 'mysql', url = 'mysql://a' }", true),
    ("storage = { type = 'sqlite', path = 'x' }\ncache = { ttl = 1 }", false),
    ("revocation = { type = 'directory', path = 'x' }", false),
    ("storage = 'memory'", false),
    ("storage = 'mine'\ncache = { ttl = 1 }", false),
    ("storage = 'client'", false),
];

#[test]
fn s79_a_server_of_several_applications_needs_app() {
    let message = |names: &str| {
        format!(
            "`sessions.app`: missing. The session(s) {names} use a server that other applications \
             may use as well: applications without names of their own see and end one another's \
             sessions there. Write app = \"shop-production\" below [default.sessions] in \
             Rocket.toml, or set ROCKET_SESSIONS__APP=shop-production"
        )
    };
    for (line, shared) in SHARED {
        let (missing, none) = (message("`user`"), String::new());
        let expected = if shared { &missing } else { &none };
        let toml = format!("[default.sessions.user]\nsecret = '{KEY}'\n{line}\n");
        let refused = release(&toml).err().unwrap_or_default();
        let refused = texts(&refused);
        let refused = refused.split(". See https").next().unwrap_or_default();
        assert_eq!(refused, *expected, "{line}");
        assert_eq!(debug(&toml).warnings.join("\n"), *expected, "{line}");
        for named in [
            format!("[default.sessions]\napp = 'shop'\n{toml}"),
            format!("[default.sessions]\napp = ''\n{toml}app = 'shop'\n"),
        ] {
            let config = release(&named).expect(line);
            assert_eq!((config.sessions["user"].app.as_str(), config.warnings.len()), ("shop", 0));
        }
        let named = [("ROCKET_SESSIONS__APP", "seven"), ("ROCKET_PROFILE", "staging")];
        assert_eq!(read_toml(&toml, &named).expect(line).sessions["user"].app, "seven");
    }
    let (redis, _) = SHARED[0];
    let several = format!("[default.sessions.a]\n{redis}\n[default.sessions.b]\n{redis}");
    let refused = release(&several).expect_err("no name");
    let refused = texts(&refused);
    assert!(refused.starts_with(&message("`a`, `b`")) && refused.lines().count() == 1, "{refused}");
}
