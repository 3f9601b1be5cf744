//! What a request with a CSRF token may look like: the headers of another origin,
//! the configured names, and which of several tokens counts.

use rocket::figment::Figment;
use rocket::form::Strict;
use rocket::http::uri::Host;
use rocket::http::{ContentType, Header, Method};
use rocket::local::asynchronous::Client;
use rocket::{FromForm, delete, get, patch, post, put, routes};
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::csrf::{CsrfForm, CsrfHeader, CsrfToken};

use crate::support::*;

#[derive(FromForm)]
struct Transfer<'r> {
    amount: u32,
    to: &'r str,
}

#[get("/token")]
fn token(csrf: CsrfToken<User>) -> String {
    csrf.to_string()
}

#[post("/page")]
fn page(csrf: CsrfToken<User>) -> String {
    csrf.to_string()
}

#[post("/form", data = "<transfer>")]
fn form(transfer: CsrfForm<User, Strict<Transfer<'_>>>) -> String {
    format!("{} to {}", transfer.amount, transfer.to)
}

#[get("/script")]
fn get_script(_csrf: CsrfHeader<User>) {}

#[post("/script")]
fn post_script(_csrf: CsrfHeader<User>) {}

#[put("/script")]
fn put_script(_csrf: CsrfHeader<User>) {}

#[patch("/script")]
fn patch_script(_csrf: CsrfHeader<User>) {}

#[delete("/script")]
fn delete_script(_csrf: CsrfHeader<User>) {}

#[rocket::options("/script")]
fn options_script(_csrf: CsrfHeader<User>) {}

/// An application, a session of it and that one's CSRF token.
struct App {
    client: Client,
    cookie: String,
    csrf: String,
}

impl App {
    async fn new(figment: Figment) -> Self {
        let mut routes = routes![token, page, form, get_script, post_script, put_script];
        routes.append(&mut routes![patch_script, delete_script, options_script]);
        let client = client_with(figment, Sessions::fairing(), routes).await;
        let cookie = logged_in(&client, "ann").await;
        let csrf = text(&client, "/token", &cookie).await;
        Self { client, cookie, csrf }
    }

    /// The status of a request with these headers.
    async fn send(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let mut request = self.client.req(method, uri.to_owned()).body(body);
        request.add_header(Header::new("Cookie", self.cookie.clone()));
        for (name, value) in headers {
            request.add_header(Header::new((*name).to_owned(), (*value).to_owned()));
        }
        request.dispatch().await.status().code
    }

    /// Whether a good token counts beside these headers, in a form and in a header.
    async fn admits(&self, headers: &[(&str, &str)]) -> bool {
        let csrf = [("X-CSRF-Token", &*self.csrf)];
        let script = self.send(Method::Post, "/script", &[headers, &csrf].concat(), "").await;
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let body = format!("amount=7&to=bob&csrf_token={}", self.csrf);
        let form = self.send(Method::Post, "/form", &[headers, &form].concat(), &body).await;
        assert_eq!(script, form, "{headers:?}");
        // The headers never stand for a token.
        assert_eq!(self.send(Method::Post, "/script", headers, "").await, 403, "{headers:?}");
        assert!([200, 403].contains(&script), "{headers:?}: {script}");
        script == 200
    }
}

const HOST: (&str, &str) = ("Host", "shop.example");

fn trusting() -> Figment {
    let origins = ["https://pay.example", "https://app.example:8443", "APP+x://Phone"];
    figment("memory").merge(("sessions.user.csrf.trusted_origins", origins))
}

#[tokio::test]
async fn s76_a_page_of_another_origin_is_refused_unless_it_is_trusted() {
    const OWN: &str = "https://shop.example";
    const TRUSTED: &str = "https://pay.example";
    const OTHER: &str = "https://evil.example";
    let app = App::new(trusting()).await;
    let sites = ["same-origin", "none", "same-site", "cross-site", "", "Same-Origin", "junk"];
    for site in [None].into_iter().chain(sites.map(Some)) {
        for origin in [None, Some(OWN), Some(TRUSTED), Some(OTHER), Some("null"), Some("")] {
            let headers: Vec<_> = site
                .map(|site| ("Sec-Fetch-Site", site))
                .into_iter()
                .chain(origin.map(|origin| ("Origin", origin)))
                .chain([HOST])
                .collect();
            let expected = match site {
                Some("same-origin" | "none") => true,
                Some(_) => origin == Some(TRUSTED),
                None => [None, Some(OWN), Some(TRUSTED)].contains(&origin),
            };
            assert_eq!(app.admits(&headers).await, expected, "{headers:?}");
        }
    }
    // Nobody is trusted by default.
    let app = App::new(figment("memory")).await;
    assert!(!app.admits(&[HOST, ("Origin", TRUSTED)]).await);
    assert!(app.admits(&[HOST, ("Origin", OWN)]).await);
}

#[tokio::test]
async fn s76_an_origin_is_the_requests_own_by_host_and_port() {
    let app = App::new(trusting()).await;
    for (host, origin, expected) in [
        ("shop.example", "https://shop.example", true),
        ("shop.example", "http://shop.example", true),
        ("shop.example", "https://shop.example:443", true),
        ("shop.example:443", "https://shop.example", true),
        ("SHOP.example", "https://Shop.EXAMPLE", true),
        ("shop.example:8000", "http://shop.example:8000", true),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", true),
        ("[::1]:8000", "http://[::1]:8000", true),
        ("[0:0::1]:8000", "http://[::1]:8000", true),
        ("[2001:DB8::1]", "https://[2001:db8::1]", true),
        ("shop.example", "https://shop.example:8443", false),
        ("shop.example:8443", "https://shop.example", false),
        ("shop.example:80", "https://shop.example", false),
        ("shop.example:443", "http://shop.example", false),
        ("shop.example", "https://shop.example.evil", false),
        ("shop.example", "https://evil.shop.example", false),
        ("shop.example", "https://shop.example.", false),
        ("shop.example", "https://shop.example/", false),
        ("shop.example", "https://shop.example@evil.example", false),
        ("shop.example", "https://evil.example@shop.example", false),
        ("shop.example", "https://shop.example, https://evil.example", false),
        ("shop.example", "shop.example", false),
        ("shop.example", "//shop.example", false),
        ("shop.example", "ftp://shop.example", false),
        ("shop.example", "chrome-extension://shop.example", false),
        ("shop.example", "null", false),
        ("[::1]", "http://[::2]", false),
        ("[::1]:8000", "http://[::1]", false),
        ("evil@shop.example", "https://shop.example", false),
        ("shop.example, shop.example", "https://shop.example", false),
        ("", "https://", false),
        ("null", "null", false),
        ("shop.example:", "https://shop.example", false),
        ("\u{0}", "https://\u{0}", false),
        ("é", "https://é", false),
        // Trusted, whatever the host: by scheme, host and port.
        ("shop.example", "https://PAY.example:443", true),
        ("\u{0}", "https://pay.example", true),
        ("shop.example", "https://app.example:8443", true),
        ("shop.example", "app+x://phone", true),
        ("shop.example", "http://pay.example", false),
        ("shop.example", "https://app.example", false),
        ("shop.example", "https://pay.example/x", false),
    ] {
        let headers = [("Host", host), ("Origin", origin)];
        assert_eq!(app.admits(&headers).await, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn s76_what_is_said_twice_or_nowhere_refuses() {
    let app = App::new(trusting()).await;
    let own = ("Origin", "https://shop.example");
    let trusted = ("Origin", "https://pay.example");
    let same = ("Sec-Fetch-Site", "same-origin");
    assert!(!app.admits(&[own]).await, "no host to compare with");
    assert!(app.admits(&[trusted]).await);
    assert!(!app.admits(&[HOST, own, own]).await);
    assert!(!app.admits(&[HOST, trusted, trusted]).await);
    assert!(!app.admits(&[HOST, HOST, own]).await);
    assert!(
        !app.admits(&[HOST, ("Host", "evil.example"), ("Origin", "https://evil.example")]).await
    );
    assert!(!app.admits(&[HOST, same, same, own]).await);
    assert!(app.admits(&[HOST, same, same, trusted]).await, "as any other value");
    assert!(app.admits(&[HOST, same, own, own]).await, "the origin is not asked");
    // In HTTP/2 the host stands beside the headers.
    for (line, host, origin, expected) in [
        (None, "shop.example", "https://shop.example", true),
        (None, "[::1]:8000", "http://[::1]:8000", true),
        (None, "evil.example", "https://shop.example", false),
        (Some("shop.example"), "shop.example", "https://shop.example", true),
        (Some("shop.example"), "evil.example", "https://shop.example", false),
        (Some("evil.example"), "shop.example", "https://shop.example", false),
    ] {
        let mut request = app.client.post("/script");
        request.inner_mut().set_host(Host::parse(host).expect("a host"));
        for (name, value) in
            [("Cookie", &*app.cookie), ("X-CSRF-Token", &*app.csrf), ("Origin", origin)]
                .into_iter()
                .chain(line.map(|line| ("Host", line)))
        {
            request.add_header(Header::new(name, value.to_owned()));
        }
        let admitted = request.dispatch().await.status().code == 200;
        assert_eq!(admitted, expected, "{line:?} {host} {origin}");
    }
}

#[tokio::test]
async fn s76_headers_are_looked_at_for_unsafe_methods_and_not_for_the_page() {
    let app = App::new(figment("memory")).await;
    let foreign = [HOST, ("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")];
    let with_token = [&foreign[..], &[("X-CSRF-Token", &*app.csrf)]].concat();
    for (method, expected) in [
        (Method::Get, 200),
        (Method::Head, 200),
        (Method::Options, 200),
        (Method::Post, 403),
        (Method::Put, 403),
        (Method::Patch, 403),
        (Method::Delete, 403),
    ] {
        assert_eq!(app.send(method, "/script", &with_token, "").await, expected, "{method}");
        assert_eq!(app.send(method, "/script", &foreign, "").await, 403, "{method}: no token");
        let own = [HOST, ("X-CSRF-Token", &*app.csrf)];
        assert_eq!(app.send(method, "/script", &own, "").await, 200, "{method}");
    }
    assert_eq!(app.send(Method::Get, "/token", &foreign, "").await, 200);
    assert_eq!(app.send(Method::Post, "/page", &foreign, "").await, 200);
}

#[tokio::test]
async fn the_names_of_field_and_header_are_configurable() {
    let figment = figment("memory")
        .merge(("sessions.user.csrf.field", "form.authenticity-token"))
        .merge(("sessions.user.csrf.header", "X-XSRF-Token"));
    let app = App::new(figment).await;
    let csrf = &*app.csrf;
    for (header, expected) in [("x-xsrf-token", 200), ("X-CSRF-Token", 403)] {
        assert_eq!(app.send(Method::Post, "/script", &[(header, csrf)], "").await, expected);
    }
    let content = [("Content-Type", "application/x-www-form-urlencoded")];
    for (field, expected) in [
        ("form.authenticity-token", 200),
        ("form.authenticity%2Dtoken", 200),
        ("csrf_token", 403),
        ("form", 403),
        ("form.authenticity-token.x", 403),
    ] {
        let body = format!("amount=7&to=bob&{field}={csrf}");
        assert_eq!(app.send(Method::Post, "/form", &content, &body).await, expected, "{field}");
    }
    // The former name is a field like any other now, which the strict form refuses.
    let body = format!("amount=7&to=bob&form.authenticity-token={csrf}&csrf_token={csrf}");
    assert_eq!(app.send(Method::Post, "/form", &content, &body).await, 422);
}

#[tokio::test]
async fn the_first_token_that_is_there_and_not_empty_counts() {
    let app = App::new(figment("memory")).await;
    let csrf = &*app.csrf;
    let good = &*format!("csrf_token={csrf}");
    let content = ("Content-Type", "application/x-www-form-urlencoded");
    for (fields, header, expected) in [
        (vec![good], vec![], 200),
        (vec![], vec![csrf], 200),
        (vec!["csrf_token="], vec![csrf], 200),
        (vec!["csrf_token"], vec![csrf], 200),
        (vec!["csrf_token=", "csrf_token=", good], vec![], 200),
        (vec!["csrf_token="], vec!["", csrf], 200),
        (vec!["csrf_token="], vec![], 403),
        (vec!["csrf_token="], vec![""], 403),
        (vec![good, "csrf_token=x"], vec!["x"], 200),
        (vec!["csrf_token=x", good], vec![csrf], 403),
        (vec!["csrf_token=x"], vec![csrf], 403),
        (vec!["csrf_token=%20"], vec![csrf], 403),
        (vec![good], vec!["x"], 200),
        (vec![], vec!["x", csrf], 403),
        (vec![], vec![csrf, "x"], 200),
    ] {
        let fields = [&["amount=7", "to=bob"], &fields[..]].concat().join("&");
        let mut headers = vec![content];
        headers.extend(header.iter().map(|value| ("X-CSRF-Token", *value)));
        let status = app.send(Method::Post, "/form", &headers, &fields).await;
        assert_eq!(status, expected, "{fields} {header:?}");
    }
    for (header, expected) in [(vec!["", csrf], 200), (vec!["x", csrf], 403), (vec![""], 403)] {
        let headers: Vec<_> = header.iter().map(|value| ("X-CSRF-Token", *value)).collect();
        let status = app.send(Method::Post, "/script", &headers, "").await;
        assert_eq!(status, expected, "{header:?}");
    }
}

/// A multipart form of these parts: the lines before the content, and the content.
pub fn multipart(parts: &[(&str, &str)]) -> String {
    let part = |(head, content): &(&str, &str)| {
        format!("--X\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    };
    parts.iter().map(part).chain(["--X--\r\n".to_owned()]).collect()
}

const PLAIN: &str = "name=\"csrf_token\"";
pub const TYPED: &str = "name=\"csrf_token\"\r\nContent-Type: text/plain; charset=utf-8";
const FILE: &str = "name=\"csrf_token\"; filename=\"x\"";

#[tokio::test]
async fn a_token_in_a_multipart_part_is_read_with_and_without_a_type() {
    let small = figment("memory").merge(("limits.data-form", 2000));
    let app = App::new(small).await;
    let csrf = &*app.csrf;
    let send = async |parts: &[(&str, &str)], header: Option<&str>| {
        let fields = [("name=\"amount\"", "7"), ("name=\"to\"", "bob")];
        let body = multipart(&[parts, &fields].concat());
        let content = ContentType::new("multipart", "form-data").with_params(("boundary", "X"));
        let content = content.to_string();
        let mut headers = vec![("Content-Type", &*content)];
        headers.extend(header.map(|value| ("X-CSRF-Token", value)));
        app.send(Method::Post, "/form", &headers, &body).await
    };
    let long = "x".repeat(1000);
    for head in [PLAIN, TYPED, FILE] {
        assert_eq!(send(&[(head, csrf)], None).await, 200, "{head}");
        assert_eq!(send(&[(head, "x")], None).await, 403, "{head}");
        assert_eq!(send(&[(head, "x")], Some(csrf)).await, 403, "{head}");
        assert_eq!(send(&[(head, "")], Some(csrf)).await, 200, "{head}");
        assert_eq!(send(&[(head, "")], None).await, 403, "{head}");
        assert_eq!(send(&[(head, ""), (PLAIN, csrf)], None).await, 200, "{head}");
        assert_eq!(send(&[(head, csrf), (TYPED, "x")], None).await, 200, "{head}");
        assert_eq!(send(&[(head, "x"), (PLAIN, csrf)], None).await, 403, "{head}");
        // One that is too long is one, and is not read to its end.
        assert_eq!(send(&[(head, &long)], Some(csrf)).await, 403, "{head}");
        assert_eq!(send(&[(head, &format!("{csrf}{long}"))], None).await, 403, "{head}");
        assert_eq!(send(&[(head, csrf), ("name=\"y\"", "")], None).await, 422, "{head}: strict");
    }
    // Rocket's own limit for such forms holds: nothing of this one is read.
    let longer = "x".repeat(3000);
    for head in [PLAIN, TYPED] {
        assert_eq!(send(&[(head, &longer)], None).await, 403, "{head}");
        assert_eq!(send(&[(head, csrf), (head, &longer)], None).await, 403, "{head}");
    }
}
