//! Logins, devices, events, and users who come from Ktor.

use std::time::{Duration, Instant};

use crate::server::*;

#[test]
fn auth_form_logs_in_and_out_and_has_both_challenges() {
    let server = Server::start("auth_form", &[]);
    let (_dir, jar) = jar();
    let cookies = ["-b", &jar, "-c", &jar];
    let challenge = server.raw("/account", b"");
    assert!(challenge.starts_with("HTTP/1.1 303"), "{challenge}");
    assert_eq!(header(&challenge, "Location"), Some("/login"));
    let api = server.raw("/api/account", b"");
    assert!(api.starts_with("HTTP/1.1 401"), "{api}");
    assert_eq!(body(&api), r#"{"error":"log in first"}"#);

    let post = |fields: &str, more: &[&str]| {
        server.curl("/login", &[&cookies[..], &["-i", "-d", fields], more].concat())
    };
    let wrong = post("name=jetbrains&password=wrong", &[]);
    assert!(wrong.starts_with("HTTP/1.1 401") && header(&wrong, "Set-Cookie").is_none());
    let fixed = "login=chosen-by-somebody-else";
    let login = post("name=jetbrains&password=foobar", &["-b", fixed]);
    let cookie = header(&login, "Set-Cookie").expect("a cookie");
    assert!(cookie.starts_with("login=") && !cookie.starts_with(fixed), "s3: {cookie}");
    assert!(!cookie.contains("Max-Age") && !cookie.contains("Expires"), "a browser session");
    assert_eq!(server.curl("/account", &cookies), "Hello, jetbrains!");
    assert_eq!(server.curl("/api/account", &cookies), r#"{"name":"jetbrains"}"#);

    let old = format!("Cookie: {}\r\n", cookie.split(';').next().expect("name and value"));
    let remembered = post("name=jetbrains&password=foobar&remember=on", &[]);
    let cookie = header(&remembered, "Set-Cookie").expect("a cookie");
    assert!(cookie.contains("; Max-Age=2592000; "), "{cookie}");
    assert!(server.raw("/account", old.as_bytes()).starts_with("HTTP/1.1 303"), "s5: a fresh id");

    server.curl("/logout", &[&cookies[..], &["-X", "POST"]].concat());
    let after = server.curl("/account", &["-i", "-b", &jar]);
    assert_eq!(header(&after, "Location"), Some("/login"));
}

/// The value of the `nth` hidden field `name` on a page.
fn hidden<'a>(page: &'a str, name: &str, nth: usize) -> &'a str {
    let start = format!("name=\"{name}\" value=\"");
    let field = page.split(&start).nth(nth + 1).expect("the field");
    field.split('"').next().expect("its value")
}

#[test]
fn devices_are_listed_and_logged_out_one_by_one_and_all_together() {
    let server = Server::start("devices", &[]);
    let clients = ["Phone", "Laptop<b>", "Tablet"].map(|agent| (agent, jar()));
    let browse = |(agent, (_, jar)): &(&str, (tempfile::TempDir, String)), path, data: &str| {
        let mut arguments = vec!["-L", "-A", agent, "-b", jar, "-c", jar];
        if !data.is_empty() {
            arguments.extend(["--post302", "-d", data]);
        }
        // A redirect after a form is asked for with GET, as browsers do (303).
        server.curl(path, &arguments)
    };
    for client in &clients {
        assert!(browse(client, "/", "").contains("name=\"name\""), "the login form");
        browse(client, "/login", "name=ann");
    }
    let [phone, laptop, tablet] = &clients;
    let page = browse(phone, "/", "");
    let shown = ["Phone at 127.0.0.1", "Laptop&lt;b> at 127.0.0.1", "Tablet at 127.0.0.1"];
    for device in shown {
        assert!(page.contains(device), "{page}");
    }
    let (device, csrf) = (hidden(&page, "device", 1), hidden(&page, "csrf_token", 0));

    // Without the token, and with another device's, nothing happens.
    let others = browse(laptop, "/", "");
    for wrong in ["", hidden(&others, "csrf_token", 0)] {
        let jar = &phone.1.1;
        let form = format!("device={device}&csrf_token={wrong}");
        let refused = server.curl("/end", &["-i", "-b", jar, "-d", &form]);
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
    let page = browse(phone, "/end", &format!("device={device}&csrf_token={csrf}"));
    assert!(
        page.contains("<p>The device is logged out.</p>") && !page.contains("Laptop"),
        "{page}"
    );
    assert!(!browse(phone, "/", "").contains("<p>"), "the message is shown once");
    assert!(browse(laptop, "/", "").contains("name=\"name\""), "the laptop is logged out");

    let page = browse(phone, "/others", &format!("csrf_token={csrf}"));
    assert!(
        page.contains("<p>1 other devices are logged out.</p>") && !page.contains("Tablet"),
        "{page}"
    );
    assert!(browse(tablet, "/", "").contains("name=\"name\""), "so is the tablet");

    browse(tablet, "/login", "name=ann");
    assert!(browse(phone, "/everywhere", &format!("csrf_token={csrf}")).contains("name=\"name\""));
    for client in &clients {
        assert!(browse(client, "/", "").contains("name=\"name\""), "everybody is logged out");
    }
}

#[test]
fn audit_log_writes_a_line_for_everything_and_nothing_that_a_client_wrote() {
    let (dir, jar) = jar();
    let log = dir.path().join("audit.log");
    let server = Server::start("audit_log", &[("AUDIT_LOG", &log.to_string_lossy())]);
    let cookies = ["-b", &jar, "-c", &jar];
    server.curl("/login", &cookies);
    assert_eq!(server.curl("/", &cookies), "ann");
    server.curl("/logout", &cookies);
    server.raw("/", b"Cookie: login=forged%0aline\r\n");
    let expected = ["login Created", "login Ended", "login Rejected"];
    let started = Instant::now();
    let events = loop {
        let text = std::fs::read_to_string(&log).expect("the log");
        let events: Vec<_> =
            text.lines().map(|line| line.split_once(' ').expect("a time").1.to_owned()).collect();
        if events.len() >= expected.len() || started.elapsed() > Duration::from_secs(10) {
            break events;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(events, expected, "s53");
}

#[test]
fn ktor_migration_logs_nobody_out_from_the_first_step_to_the_last() {
    // What a Ktor server sent to its client: its own test's keys and token.
    const FROM_KTOR: &str = "shop_user=00112233445566778899aabbccddeeff%2F9b8cf9900ff0f63849cb7a2ad71ed8a1ac9f0e2735492d2a5129cf278d70ab27%3A40af9f393a00034b53d2267251047259005bdf5ff104eede599149e80e6fee13";
    let variable = |key: &str| format!("ROCKET_SESSIONS__SHOP_USER__{key}");
    let [sign, encrypt, format, accept, secret] =
        ["SIGN_KEY", "ENCRYPT_KEY", "FORMAT", "ACCEPT", "SECRET"].map(variable);
    let keys = [
        (sign.as_str(), "hex:02030405060708090a0b0c"),
        (encrypt.as_str(), "hex:00112233445566778899aabbccddeeff"),
    ];
    let ours =
        (secret.as_str(), "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978");
    let ask = |server: &Server, path: &str, cookie: &str| {
        let response = server.raw(path, format!("Cookie: {cookie}\r\n").as_bytes());
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        let cookie = header(&response, "Set-Cookie").and_then(|cookie| cookie.split(';').next());
        (body(&response).to_owned(), cookie.map(str::to_owned))
    };

    let side_by_side = Server::start("ktor_migration", &[keys[0], keys[1], (&format, "ktor")]);
    assert_eq!(ask(&side_by_side, "/cart", FROM_KTOR), ("id2: ".into(), None));
    let (cart, cookie) = ask(&side_by_side, "/cart/book", FROM_KTOR);
    let cookie = cookie.expect("Ktor reads this one");
    assert!(cart == "id2: book" && cookie.contains("%2F") && cookie.contains("%3A"), "{cookie}");
    drop(side_by_side);

    let taken_over =
        Server::start("ktor_migration", &[keys[0], keys[1], ours, (&accept, "[\"ktor\"]")]);
    let (cart, native) = ask(&taken_over, "/cart", &cookie);
    let native = native.expect("re-issued");
    assert!(cart == "id2: book" && !native.contains('%'), "{native}");
    let (cart, again) = ask(&taken_over, "/cart/pen", &native);
    assert_eq!(cart, "id2: book, pen");
    let native = again.expect("changed");
    assert_eq!(taken_over.curl("/from-ktor", &[]), "1");
    drop(taken_over);

    let alone = Server::start("ktor_migration", &[ours]);
    assert_eq!(ask(&alone, "/cart", &native).0, "id2: book, pen", "nobody was logged out");
    assert_eq!(ask(&alone, "/cart", FROM_KTOR).0, "nobody", "and Ktor's tokens are nothing");
}
