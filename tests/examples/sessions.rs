//! Sessions in a cookie, on the server and in a header.

use std::io::Read;
use std::time::Duration;

use crate::server::*;

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
