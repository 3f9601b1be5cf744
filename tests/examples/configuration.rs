//! What launch refuses, shows and says.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::server::*;

#[test]
fn a_wrong_configuration_refuses_launch_and_says_what_to_write() {
    for (variable, value, expected) in [
        ("ROCKET_PROFILE", "release", "openssl rand -base64 32"),
        ("ROCKET_SESSIONS__USER_SESSION__COOKIE__SAME_SITE", "lacks", "\"lax\""),
        ("ROCKET_SESSIONS__USER_SESSION__IDLE_TIMEOU", "7 days", "did you mean `idle_timeout`?"),
    ] {
        let output = Command::new(binary("cookie_client"))
            .env(variable, value)
            .env("ROCKET_PORT", "0")
            .output();
        let output = output.expect("the example is built");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && text.contains(expected), "{variable}: {text}");
    }
}

#[test]
fn s6_s9_s11_the_release_profile_protects_the_cookie_even_without_tls_of_its_own() {
    let release = [("ROCKET_PROFILE", "release"), ("ROCKET_SESSIONS__SECRET", SECRET)];
    for (more, name, end) in [
        (None, "user_session=", "; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (
            Some(("ROCKET_SESSIONS__USER_SESSION__COOKIE__PREFIX", "host")),
            "__Host-user_session=",
            "; Path=/; Secure; HttpOnly; SameSite=Lax",
        ),
    ] {
        let environment: Vec<_> = release.into_iter().chain(more).collect();
        let server = Server::start("cookie_client", &environment);
        let login = server.raw("/login", b"");
        let cookie = header(&login, "Set-Cookie").expect("a cookie");
        assert!(cookie.starts_with(name) && cookie.ends_with(end), "{cookie}");
        let token = cookie.split(';').next().expect("name and value");
        let evil = format!("Cookie: %75ser_session=evil; {token}; \u{2000}{token}x\r\n");
        let user = server.raw("/user", evil.as_bytes());
        assert_eq!(body(&user), "Session ID is 123abc. Reload count is 1.", "s9");
        let logout = server.raw("/logout", format!("Cookie: {token}\r\n").as_bytes());
        let removal = header(&logout, "Set-Cookie").expect("a removal");
        assert!(removal.starts_with(&format!("{name}; Max-Age=0")), "{removal}");
        assert!(removal.ends_with(end), "s11: browsers match a removal by these: {removal}");
    }
}

#[test]
fn launch_shows_what_is_configured_but_no_key_and_heeds_the_log_level() {
    let said = |level: &str| {
        let process = Command::new(binary("cookie_client"))
            .envs([
                ("ROCKET_PORT", "0"),
                ("ROCKET_LOG_LEVEL", level),
                ("ROCKET_CLI_COLORS", "false"),
            ])
            .env("ROCKET_SESSIONS__USER_SESSION__SECRET", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = process.expect("the example is built");
        std::thread::sleep(Duration::from_secs(1));
        process.kill().expect("it runs");
        let output = process.wait_with_output().expect("its output");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let normal = said("normal");
    for line in [
        "Session `user_session`:",
        ">> cookie: user_session; Path=/; HttpOnly; SameSite=Lax, kept for 10 seconds",
        ">> timeouts: idle 7 days, absolute 30 days, touched after 1 second",
        ">> from Rocket.toml: cookie.max_age, cookie.path",
        ">> from ROCKET_SESSIONS__USER_SESSION__SECRET: secret",
        ">> protection: encrypted (A128CBC-HS256), 1 key",
        "Session `header_cart`:",
        ">> header: cart_session",
        "`cart_session`, `header_cart`, `login`, `shop_user` have no key",
    ] {
        assert!(normal.contains(line), "no {line:?} in {normal}");
    }
    assert!(!normal.contains("8f2a6c1e"), "s51: {normal}");
    assert_eq!(said("off"), "");
}
