//! Sites on a host beside the shop's, which browsers take for the same site.

use rocket::figment::Figment;
use rocket::http::{Cookie, CookieJar};
use rocket::response::content::RawHtml;
use rocket::{get, routes};

use super::shop::{Shop, Site, in_browser};
use crate::browser::jar::Browser as Attacker;

/// Sets a cookie for all hosts of the site.
#[get("/plant?<name>&<value>")]
fn plant(jar: &CookieJar<'_>, name: &str, value: &str) -> &'static str {
    let cookie = Cookie::build((name.to_owned(), value.to_owned()));
    jar.add(cookie.domain("site.localhost").path("/").secure(true));
    "planted"
}

/// A page that sends a form to the shop.
#[get("/forge?<action>")]
fn forge(action: &str) -> RawHtml<String> {
    RawHtml(format!(r#"<form method="post" action="{action}"><button>A prize!</button></form>"#))
}

async fn evil() -> Site {
    Site::launch(Figment::new(), |rocket| rocket.mount("/", routes![plant, forge])).await
}

const SHOP: &str = "shop.site.localhost";

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_cookie_is_refused_by_its_prefix_and_worth_nothing_after_a_login() {
    for (prefix, name, arrives) in [("host", "__Host-shopper", false), ("none", "shopper", true)] {
        let shop = Shop::start(&[format!("ROCKET_SESSIONS__COOKIE__PREFIX={prefix}")]);
        let evil = evil().await;
        let mut attacker = Attacker::new(shop.port());
        attacker.open("/products/1").await;
        let planted = attacker.cookies_for("/");
        let value = planted.strip_prefix(&format!("{name}=")).expect(&planted);
        in_browser(async |victim| {
            let evil = format!("http://evil.site.localhost:{}", evil.port);
            victim.open(&format!("{evil}/plant?name={name}&value={value}")).await;
            victim.open(&shop.on(SHOP, "/static/style.css")).await;
            let is_there = victim.cookie(name).await.is_some_and(|cookie| cookie.value == value);
            assert_eq!(is_there, arrives, "{prefix}");

            victim.enter(&shop.on(SHOP, "/register"), "ann").await;
            victim.open(&shop.on(SHOP, "/devices")).await;
            victim.shows("This device").await;
            assert_eq!(victim.count(".devices li").await, 1);
            assert_eq!(attacker.cookies_for("/"), planted);
            let page = attacker.open("/devices").await;
            assert!(page.status == 401 && !page.body.contains("ann"), "{page:?}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_a_sibling_host_carries_the_cookie_and_is_refused() {
    let shop = Shop::start(&[]);
    let evil = evil().await;
    in_browser(async |victim| {
        victim.enter(&shop.on(SHOP, "/register"), "ann").await;
        let action = shop.on(SHOP, "/logout");
        let page = format!("http://evil.site.localhost:{}/forge?action={action}", evil.port);
        victim.open(&page).await;
        victim.click("button").await;
        victim.shows("This is not allowed").await;
        // The page of the error knows her: the browser has sent her cookie.
        victim.shows("Log out ann").await;
        victim.open(&shop.on(SHOP, "/devices")).await;
        victim.shows("This device").await;
    })
    .await;
}
