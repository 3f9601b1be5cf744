//! Forms for visitors without a session: the page stays in caches, and only its own script's token counts.

use crate::recipes::users::Users;
use crate::server::{Browser, start};

const PAGE: &str = "/double-submit";

/// What the page's script does when the form is sent.
async fn submit(browser: &mut Browser) -> u16 {
    let token = browser.get("/double-submit/token").await.body;
    browser.post(PAGE, &format!("text=hello&csrf_token={token}")).await.status
}

#[tokio::test]
async fn the_page_stays_in_shared_caches_for_visitors_and_guests() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    let visitor = browser.get(PAGE).await;
    assert_eq!(submit(&mut browser).await, 200);
    let guest = browser.get(PAGE).await;
    for page in [&visitor, &guest] {
        assert_eq!(page.header("Cache-Control").as_deref(), Some("public, max-age=600"));
        assert_eq!((page.header("Set-Cookie"), page.header("Vary")), (None, None));
        assert!(page.body.contains(r#"fetch("/double-submit/token")"#), "{}", page.body);
    }
    assert_eq!(visitor.body, guest.body);
    let token = browser.get("/double-submit/token").await;
    assert_eq!(token.header("Cache-Control").as_deref(), Some("no-store"));
}

#[tokio::test]
async fn tabs_that_send_at_different_times_do_not_disturb_each_other() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    // Both pages are open before either is sent.
    for _ in 0..2 {
        browser.get(PAGE).await;
    }
    for _ in 0..3 {
        assert_eq!(submit(&mut browser).await, 200);
    }
    let plain = browser.get("/double-submit/plain").await;
    assert_eq!(plain.header("Cache-Control").as_deref(), Some("no-store"));
    let form = format!("text=hello&csrf_token={}", plain.field("csrf_token"));
    assert_eq!(browser.post(PAGE, &form).await.body, "Thank you for 5 characters.\n");
}

#[tokio::test]
async fn a_form_without_its_visitors_token_is_refused() {
    let (server, _) = start::<Users>().await;
    let (mut victim, mut mallory) = (server.browser(), server.browser());
    let own = victim.get("/double-submit/token").await.body;
    let foreign = mallory.get("/double-submit/token").await.body;
    let forged = own.chars().rev().collect::<String>();
    for token in ["", "x", &foreign, &forged] {
        let answer = victim.post(PAGE, &format!("text=spam&csrf_token={token}")).await;
        assert_eq!(answer.status, 403, "{token}");
    }
    let form = format!("text=spam&csrf_token={own}");
    assert_eq!(server.browser().post(PAGE, &form).await.status, 403, "without the cookie");
    // From another site, with whatever mallory has planted.
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let form = format!("text=spam&csrf_token={foreign}");
    for header in [("Sec-Fetch-Site", "same-site"), ("Origin", "https://sister.example")] {
        let answer = mallory.send(&format!("POST {PAGE}"), &[kind, header], &form).await;
        assert_eq!(answer.status, 403, "{header:?}");
    }
    assert_eq!(mallory.post(PAGE, &form).await.status, 200, "its own form");
}
