//! The recipes in a real browser: what only a browser can tell.

use thirtyfour::prelude::*;

use super::chromium::{Chromium, on_port};
use crate::recipes::next::Next;
use crate::recipes::users::Users;
use crate::recipes_server::start;

async fn in_chromium(test: impl AsyncFnOnce(&Chromium)) {
    let (server, _) = start::<Users>().await;
    on_port(server.port, test).await;
}

/// What a script of the page returns.
async fn run(chromium: &Chromium, script: &str, arguments: Vec<serde_json::Value>) -> String {
    let result = chromium.driver.execute(script, arguments).await.expect("a result");
    result.convert().expect("a text")
}

async fn fill_in(chromium: &Chromium, name: &str, text: &str) {
    let field = By::Css(format!("input[name={name}]"));
    chromium.until(name, async || chromium.driver.find(field.clone()).await.ok()).await;
    let field = chromium.driver.find(field).await.expect("a field");
    field.send_keys(text).await.expect("typed");
}

async fn log_in(chromium: &Chromium) {
    fill_in(chromium, "name", "ann").await;
    fill_in(chromium, "password", "swordfish").await;
}

/// Every text of four parts that mean something in an address.
fn texts() -> Vec<String> {
    const PARTS: [&str; 12] =
        ["/", "\\", "\t", "\n", "evil.example", ":", "@", ".", "?", "#", "https:", "%2f"];
    let part = |number: usize, place| PARTS[number / PARTS.len().pow(place) % PARTS.len()];
    let text = |number| (0..4).map(|place| part(number, place)).collect();
    (0..PARTS.len().pow(4)).map(text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn chromium_takes_no_next_for_another_sites_address() {
    in_chromium(async |chromium| {
        chromium.open("/user").await;
        chromium.shows("Hello, whoever you are!").await;
        let all = texts();
        let good: Vec<_> = all.iter().filter(|text| Next::new(text).is_some()).collect();
        assert!(all.len() > 20_000 && good.len() > 100, "{} of {}", good.len(), all.len());
        // Relative to the page, as it reads a `Location`.
        let script = "return arguments[0].filter(text => new URL(text, location).origin != location.origin).join()";
        let elsewhere = run(chromium, script, vec![serde_json::json!(good)]).await;
        assert_eq!(elsewhere, "");
        // The same script finds those that are refused.
        let bad = vec![serde_json::json!(["/\\evil.example", "/\t/evil.example", "//evil.example"])];
        assert_eq!(run(chromium, script, bad).await, "/\\evil.example,/\t/evil.example,//evil.example");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_in_chromium_is_where_they_wanted_to_go() {
    in_chromium(async |chromium| {
        chromium.open("/next/articles/7?page=2&copy=1").await;
        log_in(chromium).await;
        chromium.click().await;
        chromium.shows("Article 7, page 2").await;
        let address = chromium.driver.current_url().await.expect("an address");
        assert_eq!(address.query(), Some("page=2&copy=1"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_double_click_in_chromium_on_the_recipes_form_logs_in() {
    in_chromium(async |chromium| {
        for apart in [0, 1, 2, 5, 10, 20, 30, 50] {
            chromium.driver.delete_all_cookies().await.expect("no cookies");
            chromium.open("/double-click/login").await;
            log_in(chromium).await;
            chromium.double_click(apart).await;
            chromium.shows("Hello, ann!").await;
            chromium.open("/double-click").await;
            chromium.shows("Hello, ann!").await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_script_of_a_cached_page_sends_its_form() {
    in_chromium(async |chromium| {
        for _ in 0..2 {
            chromium.open("/double-submit").await;
            fill_in(chromium, "text", "hello").await;
            chromium.click().await;
            chromium.shows("Thank you for 5 characters.").await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_script_reads_the_csrf_cookie_and_its_requests_pass() {
    in_chromium(async |chromium| {
        chromium.open("/csrf-cookie").await;
        chromium.shows("Nobody.").await;
        let script = r#"
            const post = (path, token) => fetch("/csrf-cookie/" + path, { method: "POST", headers: { "X-XSRF-TOKEN": token } });
            const token = () => /XSRF-TOKEN=([^;]*)/.exec(document.cookie)?.[1] ?? "";
            const seen = [];
            for (const path of ["login/ann", "notes", "renew", "notes", "logout", "notes"]) {
                seen.push((await post(path, token())).status);
            }
            seen.push(document.cookie);
            return seen.join();"#;
        assert_eq!(run(chromium, script, Vec::new()).await, "200,200,200,200,200,403,");
    })
    .await;
}
