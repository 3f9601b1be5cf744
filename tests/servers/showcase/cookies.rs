//! Who can read the session's cookie, and when it goes.

use thirtyfour::SameSite;

use super::shop::{Shop, in_browser};

const NAME: &str = "__Host-shopper";

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_hidden_from_scripts_bound_to_its_host_and_gone_after_the_logout() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        browser.open(&shop.at("/")).await;
        assert!(browser.cookie(NAME).await.is_none(), "nobody needs a session yet");
        browser.enter(&shop.at("/register"), "ann").await;
        let cookie = browser.cookie(NAME).await.expect("a cookie");
        assert_eq!(cookie.http_only, Some(true));
        assert_eq!(cookie.secure, Some(true));
        assert_eq!(cookie.same_site, Some(SameSite::Lax));
        assert_eq!(cookie.path.as_deref(), Some("/"));
        assert_eq!(cookie.domain.as_deref(), Some("localhost"), "this host and no other");
        assert_eq!(cookie.expiry, None, "until the browser is closed");
        let seen = browser.script("return document.cookie", Vec::new()).await;
        assert!(!seen.as_str().expect("text").contains("shopper"), "{seen}");

        browser.click("form[action='/logout'] button").await;
        browser.shows("You are logged out.").await;
        assert!(browser.cookie(NAME).await.is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remember_me_gives_the_cookie_an_end_of_its_own() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        browser.open(&shop.at("/register")).await;
        browser.click("input[name='remember']").await;
        browser.write("name", "ann").await;
        browser.write("password", "swordfish").await;
        browser.click("main button").await;
        browser.shows("You are logged in.").await;
        let expiry = browser.cookie(NAME).await.expect("a cookie").expiry.expect("an end");
        let now = browser.script("return Math.floor(Date.now() / 1000)", Vec::new()).await;
        let days = (expiry - now.as_i64().expect("seconds")) / 86_400;
        assert!((89..=90).contains(&days), "{days} days");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_back_button_shows_no_private_page_after_the_logout() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        browser.enter(&shop.at("/register"), "ann").await;
        browser.open(&shop.at("/devices")).await;
        browser.shows("This device").await;
        browser.click("form[action='/logout'] button").await;
        browser.shows("You are logged out.").await;
        browser.back().await;
        browser.shows("Please log in").await;
        let page = browser.text().await;
        assert!(!page.contains("This device") && !page.contains("ann"), "{page}");
    })
    .await;
}
