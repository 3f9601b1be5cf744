//! A `Secure` cookie over plain HTTP, which browsers drop.

use crate::app::*;
use crate::log::{ALONE, lines};

const BROWSER: [&str; 2] = ["User-Agent: Mozilla/5.0 (X11; Linux)", "Accept-Language: pl"];

/// What the log says of a login with these headers, after others without effect.
async fn said(headers: &[&str]) -> Vec<String> {
    let client = client(figment("client")).await;
    get(&client, "/login/ann", headers).await;
    lines()
}

#[tokio::test]
async fn plain_http_is_named_once_with_the_header_that_shows_it() {
    let _alone = ALONE.lock().await;
    for (header, name) in [
        ("Origin: http://shop.example", "Origin"),
        ("Referer: http://shop.example/login?next=x", "Referer"),
        ("X-Forwarded-Proto: http", "X-Forwarded-Proto"),
        ("Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43", "Forwarded"),
    ] {
        let client = client(figment("memory")).await;
        for _ in 0..2 {
            get(&client, "/get", &["Host: shop.example", header]).await;
            assert!(lines().is_empty(), "no cookie was sent");
        }
        get(&client, "/login/ann", &["Host: shop.example", header]).await;
        let [line] = &lines()[..] else { panic!("one line for {header}") };
        for part in ["Session `user`", "`Secure`", "\"shop.example\"", "plain HTTP", "HTTPS"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(line.contains(&format!("as its `{name}` says")), "{line}");
        get(&client, "/login/bob", &["Host: shop.example", header]).await;
        assert!(lines().is_empty(), "once");
    }
}

#[tokio::test]
async fn a_browser_without_fetch_metadata_seems_to_speak_plain_http() {
    let _alone = ALONE.lock().await;
    let [agent, language] = BROWSER;
    let lines = said(&["Host: shop.example:8000", agent, language]).await;
    let [line] = &lines[..] else { panic!("one line: {lines:?}") };
    for part in ["seems to", "Sec-Fetch-Site", "X-Forwarded-Proto", "\"shop.example:8000\""] {
        assert!(line.contains(part), "{line}");
    }
    for headers in [[agent, "Accept: */*"], ["User-Agent: curl/8.0", language]] {
        assert!(said(&[&["Host: shop.example"], &headers[..]].concat()).await.is_empty());
    }
}

#[tokio::test]
async fn nothing_is_said_where_the_browser_speaks_https_or_to_its_own_machine() {
    let _alone = ALONE.lock().await;
    for headers in [
        ["Host: shop.example", "X-Forwarded-Proto: https"],
        ["Host: shop.example", "X-Forwarded-Proto: http, https"],
        ["Host: shop.example", "Forwarded: for=192.0.2.60; Proto=\"https\""],
        ["Host: shop.example", "Origin: https://shop.example"],
        ["Host: shop.example", "Referer: https://shop.example/"],
        ["Host: shop.example", "Sec-Fetch-Mode: navigate"],
        ["Host: localhost:8000", "Origin: http://localhost:8000"],
        ["Host: 127.0.0.1", "X-Forwarded-Proto: http"],
        ["Host: [::1]:8000", "Origin: http://[::1]:8000"],
        // A proxy that speaks HTTPS names another host than the browser's.
        ["Host: app:8000", "Origin: http://elsewhere.example"],
    ] {
        assert!(said(&headers).await.is_empty(), "{headers:?}");
    }
    let https = ["Host: app:8000", BROWSER[0], BROWSER[1], "Sec-Fetch-Site: same-origin"];
    assert!(said(&https).await.is_empty());
    assert!(said(&["Accept: */*", "X-Forwarded-Proto: http"]).await.is_empty(), "no host");
}

#[tokio::test]
async fn who_was_seen_over_https_is_not_warned_of_a_stray_request() {
    let _alone = ALONE.lock().await;
    let client = client(figment("client")).await;
    get(&client, "/login/ann", &["Host: shop.example", "X-Forwarded-Proto: https"]).await;
    get(&client, "/login/bob", &["Host: 192.0.2.7:8000", "Origin: http://192.0.2.7:8000"]).await;
    assert!(lines().is_empty());
}

#[tokio::test]
async fn a_cookie_without_secure_and_a_header_may_go_over_plain_http() {
    let _alone = ALONE.lock().await;
    let plain = figment("client")
        .merge(("sessions.user.allow_insecure", true))
        .merge(("sessions.user.cookie.secure", false));
    let header = figment("client").merge(("sessions.user.transport", "header"));
    for figment in [plain, header] {
        let client = client(figment).await;
        get(&client, "/login/ann", &["Host: shop.example", "Origin: http://shop.example"]).await;
        assert!(lines().is_empty());
    }
}
