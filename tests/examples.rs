//! The examples as their users run them: real processes, real sockets, curl
//! with a cookie jar, `kill -9`.

#![allow(clippy::expect_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const GONE: &str = "Session doesn't exist or is expired.";
const EMPTY: &str = "Your basket is empty.";
const CART: &str = "Product IDs: [1, 3, 7]";

/// A running example; killed like `kill -9` when dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(example: &str, environment: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let process = Command::new(binary(example))
            .env("ROCKET_PORT", port.to_string())
            .env("ROCKET_LOG_LEVEL", "off")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .expect("the example is built");
        let server = Self { process, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "{example} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let output =
            Command::new("curl").args(["-s", "--max-time", "10"]).args(arguments).arg(url).output();
        let output = output.expect("curl is installed");
        assert!(output.status.success(), "curl {path}: {}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// A whole response to a raw request head.
    fn raw(&self, path: &str, head: &[u8]) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let begin = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        // The server may answer and close before it has read everything.
        let _ = socket.write_all(&[begin.as_bytes(), head, b"\r\n"].concat());
        let mut response = Vec::new();
        let _ = socket.read_to_end(&mut response);
        String::from_utf8_lossy(&response).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `target/<profile>/examples/<name>`, which `cargo test` builds.
fn binary(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test's path");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>");
    profile.join("examples").join(example)
}

fn jar() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("jar").to_string_lossy().into_owned();
    (dir, path)
}

fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = response.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn cookie_client_counts_in_an_encrypted_cookie_that_expires() {
    let server = Server::start("cookie_client", &[]);
    let (_dir, jar) = jar();
    let cookies = ["-L", "-b", &jar, "-c", &jar];
    assert_eq!(server.curl("/user", &cookies), GONE);
    assert_eq!(server.curl("/login", &cookies), "Session ID is 123abc. Reload count is 1.");
    assert_eq!(server.curl("/user", &cookies), "Session ID is 123abc. Reload count is 2.");
    assert_eq!(server.curl("/user", &cookies), "Session ID is 123abc. Reload count is 3.");

    let login = server.curl("/login", &["-i"]);
    assert!(login.starts_with("HTTP/1.1 303"), "{login}");
    let cookie = header(&login, "Set-Cookie").expect("a cookie");
    assert!(
        cookie.starts_with("user_session=") && cookie.contains("; Max-Age=10; Expires="),
        "{cookie}"
    );
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(header(&login, "Cache-Control"), Some("no-store"));
    assert_eq!(header(&login, "Vary"), Some("Cookie"));
    assert!(!cookie.contains("123abc") && !cookie.contains("MTIzYWJj"), "encrypted");

    // Not followed: curl does not rewrite a jar that a redirect has emptied.
    let logout = server.curl("/logout", &["-i", "-b", &jar, "-c", &jar]);
    assert!(
        header(&logout, "Set-Cookie")
            .is_some_and(|cookie| cookie.starts_with("user_session=; Max-Age=0"))
    );
    assert_eq!(server.curl("/user", &cookies), GONE);
    server.curl("/login", &cookies);
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(server.curl("/user", &cookies), GONE, "ten seconds later");
}

#[test]
fn s54_whatever_bytes_the_cookie_holds_the_session_is_absent() {
    let server = Server::start("cookie_client", &[]);
    let login = server.curl("/login", &["-i"]);
    let good = header(&login, "Set-Cookie")
        .and_then(|cookie| cookie.split(';').next())
        .expect("a cookie")
        .to_owned();
    let good_line = format!("Cookie: {good}\r\n");
    let answer = server.raw("/user", good_line.as_bytes());
    assert!(body(&answer).contains("Reload count is 1."), "{answer}");

    let mut forged = good.clone();
    forged.replace_range(40..41, if &good[40..41] == "A" { "B" } else { "A" });
    let long = format!("Cookie: user_session={}\r\n", "A".repeat(420_000));
    let mut heads: Vec<Vec<u8>> =
        vec![Vec::new(), b"Cookie:\r\n".to_vec(), b"Cookie: user_session\r\n".to_vec()];
    heads.push(b"Cookie: user_session=\xff\xfe\r\n".to_vec());
    heads.push(b"Cookie: user_session=%zz+/==\r\n".to_vec());
    heads.push(b"Cookie: %75ser_session=AAAA\r\nCookie: user_session=A\r\n".to_vec());
    heads.push(long.into_bytes());
    heads.push(format!("Cookie: {forged}\r\n").into_bytes());
    heads.push(format!("Cookie: {}\r\n", &good[..good.len() - 1]).into_bytes());
    for head in heads {
        let answer = server.raw("/user", &head);
        let shown = String::from_utf8_lossy(&head[..head.len().min(60)]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 200"), "{shown}: {answer:.80}");
        assert_eq!(body(&answer), GONE, "{shown}");
        assert_eq!(header(&answer, "Set-Cookie"), None, "{shown}");
    }
}

#[test]
fn cookie_server_keeps_a_cart_and_logout_ends_it_for_every_copy() {
    let server = Server::start("cookie_server", &[]);
    let (_dir, jar) = jar();
    let cookies = ["-L", "-b", &jar, "-c", &jar];
    assert_eq!(server.curl("/cart", &cookies), EMPTY);
    assert_eq!(server.curl("/login", &cookies), CART);
    assert_eq!(server.curl("/cart", &cookies), CART);
    let copy = std::fs::read_to_string(&jar).expect("the jar");
    let token = copy.split_whitespace().last().expect("a token");
    assert_eq!(token.len(), 94, "a signed id");
    assert_eq!(server.curl("/logout", &cookies), EMPTY);
    let replay = format!("cart_session={token}");
    assert_eq!(server.curl("/cart", &["-b", &replay]), EMPTY, "a replayed cookie");
}

#[test]
fn header_server_survives_kill_9_and_logout_holds() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = format!("{{type=\"directory\",path=\"{}\"}}", dir.path().display());
    let mut random = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut random))
        .expect("random bytes");
    let secret = random.iter().fold("hex:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let environment = [
        ("ROCKET_SESSIONS__HEADER_CART__STORAGE", storage.as_str()),
        ("ROCKET_SESSIONS__SECRET", secret.as_str()),
    ];

    let server = Server::start("header_server", &environment);
    let login = server.curl("/login", &["-i"]);
    assert!(login.starts_with("HTTP/1.1 200") && header(&login, "Set-Cookie").is_none(), "{login}");
    let token = header(&login, "cart_session").expect("a token").to_owned();
    let send = format!("cart_session: {token}");
    assert_eq!(server.curl("/cart", &["-H", &send]), CART);
    assert_eq!(server.curl("/cart", &[]), EMPTY);
    assert_eq!(
        server.curl("/cart", &["-b", &format!("cart_session={token}")]),
        EMPTY,
        "not by cookie"
    );
    drop(server);

    let server = Server::start("header_server", &environment);
    assert_eq!(server.curl("/cart", &["-H", &send]), CART, "after kill -9");
    server.curl("/logout", &["-H", &send]);
    assert_eq!(server.curl("/cart", &["-H", &send]), EMPTY);
    drop(server);
    let server = Server::start("header_server", &environment);
    assert_eq!(server.curl("/cart", &["-H", &send]), EMPTY, "what is ended stays ended");
}

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

const SECRET: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";

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
fn s57_two_processes_on_one_directory_lose_no_update() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = format!("{{type=directory,path={:?}}}", dir.path().join("sessions"));
    let environment = [
        ("ROCKET_SESSIONS__SECRET", SECRET),
        ("ROCKET_SESSIONS__USER_SESSION__STORAGE", storage.as_str()),
        ("ROCKET_SESSIONS__USER_SESSION__STORAGE_TIMEOUT", "20 seconds"),
        ("ROCKET_SESSIONS__USER_SESSION__COOKIE__MAX_AGE", "1 hour"),
    ];
    let servers = [(); 2].map(|()| Server::start("cookie_client", &environment));
    let login = servers[0].raw("/login", b"");
    let cookie = header(&login, "Set-Cookie").and_then(|cookie| cookie.split(';').next());
    let head = format!("Cookie: {}\r\n", cookie.expect("a cookie"));
    std::thread::scope(|scope| {
        for server in &servers {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let user = server.raw("/user", head.as_bytes());
                        assert!(body(&user).starts_with("Session ID is 123abc."), "{user}");
                    }
                });
            }
        }
    });
    let last = servers[0].raw("/user", head.as_bytes());
    assert_eq!(body(&last), "Session ID is 123abc. Reload count is 161.");
    servers[0].raw("/logout", head.as_bytes());
    let after = servers[1].raw("/user", head.as_bytes());
    assert_eq!(body(&after), GONE, "a logout on one node holds on the other");
}

#[test]
fn custom_storages_of_both_kinds_count_forget_and_the_folder_survives_kill_9() {
    let server = Server::start("custom_storage", &[]);
    let (_dir, jar) = jar();
    let cookies = ["-b", &jar, "-c", &jar];
    assert_eq!(server.curl("/", &cookies), "Visit number 1.");
    assert_eq!(server.curl("/", &cookies), "Visit number 2.");
    assert_eq!(server.curl("/forget", &cookies), "Forgotten.");
    assert_eq!(server.curl("/", &cookies), "Visit number 1.");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shopping").to_string_lossy().into_owned();
    let environment = [("FOLDER", path.as_str()), ("ROCKET_SESSIONS__SECRET", SECRET)];
    let server = Server::start("custom_storage_simple", &environment);
    assert_eq!(server.curl("/add/milk", &cookies), "milk");
    drop(server);
    let server = Server::start("custom_storage_simple", &environment);
    assert_eq!(server.curl("/add/bread", &cookies), "milk, bread");
    assert_eq!(server.curl("/forget", &cookies), "Forgotten.");
    assert_eq!(std::fs::read_dir(path).expect("the folder").count(), 0, "nothing is left");
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
        ">> cookie: user_session",
        ">> protection: encrypted (A128CBC-HS256), 1 key(s)",
        "Session `header_cart`:",
        ">> header: cart_session",
        "`cart_session`, `header_cart`, `login`, `shop_user` have no key",
    ] {
        assert!(normal.contains(line), "no {line:?} in {normal}");
    }
    assert!(!normal.contains("8f2a6c1e"), "s51: {normal}");
    assert_eq!(said("off"), "");
}

#[test]
fn s16_s18_a_header_session_is_one_line_of_its_header_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = format!("{{type=directory,path={:?}}}", dir.path().join("sessions"));
    let environment = [
        ("ROCKET_SESSIONS__SECRET", SECRET),
        ("ROCKET_SESSIONS__HEADER_CART__STORAGE", storage.as_str()),
    ];
    let server = Server::start("header_server", &environment);
    let login = server.raw("/login", b"");
    let token = header(&login, "cart_session").expect("a token").to_owned();
    for (head, expected) in [
        (format!("cart_session: {token}\r\n"), CART),
        (format!("CART_SESSION:{token}   \r\n"), CART),
        (format!("cart_session: {token}\r\nCart_Session: evil\r\n"), EMPTY),
        (format!("cart_session: evil\r\ncart_session: {token}\r\n"), EMPTY),
        (format!("cart_session: {token}, {token}\r\n"), EMPTY),
        (format!("cart_session: \"{token}\"\r\n"), EMPTY),
        (format!("cart-session: {token}\r\n"), EMPTY),
        (format!("Cookie: cart_session={token}\r\n"), EMPTY),
        (format!("Authorization: Bearer {token}\r\n"), EMPTY),
    ] {
        assert_eq!(body(&server.raw("/cart", head.as_bytes())), expected, "{head}");
    }
    let query = server.raw(&format!("/cart?cart_session={token}"), b"");
    assert_eq!(body(&query), EMPTY, "not from the address");
}

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
    assert!(page.contains("<p>It is logged out.</p>") && !page.contains("Laptop"), "{page}");
    assert!(!browse(phone, "/", "").contains("<p>"), "the message is shown once");
    assert!(browse(laptop, "/", "").contains("name=\"name\""), "the laptop is logged out");

    let page = browse(phone, "/others", &format!("csrf_token={csrf}"));
    assert!(page.contains("<p>1 logged out.</p>") && !page.contains("Tablet"), "{page}");
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

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_keeps_what_it_acknowledged_through_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.db").to_string_lossy().into_owned();
    let environment = [
        ("NOTES", file.as_str()),
        (
            "ROCKET_SESSIONS__SECRET",
            "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978",
        ),
    ];
    let (_dir, jar) = jar();
    let cookies = ["-b", &jar, "-c", &jar];
    let mut count = 0;
    for round in 0..3 {
        let server = Server::start("sqlite", &environment);
        for _ in 0..5 {
            let text = format!("text=note{count}");
            let post = [&cookies[..], &["-d", &text]].concat();
            count += 1;
            assert_eq!(server.curl("/notes", &post), format!("{count}\n"), "round {round}");
        }
        // Dropping the server is `kill -9`.
    }
    let server = Server::start("sqlite", &environment);
    let notes = server.curl("/notes", &cookies);
    assert_eq!(notes.lines().count(), 15, "{notes}");
    assert_eq!(server.curl("/notes", &[]), "Nothing yet.\n");
}
