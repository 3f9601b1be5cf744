//! The showcase on Redis by one variable, and Redis silent for a while.

use super::shop::{Shop, in_browser};
use crate::redis::{redis, url};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_logged_in_stays_so_while_the_storage_is_silent() {
    let redis = redis(&[]);
    let storage = format!(r#"{{type="redis",url="{}"}}"#, url(redis.port));
    let shop = Shop::start(&[format!("ROCKET_SESSIONS__STORAGE={storage}")]);
    in_browser(async |browser| {
        browser.enter(&shop.at("/register"), "ann").await;
        let cookie = browser.cookie("__Host-shopper").await.expect("a cookie").value;
        redis.signal("STOP");
        browser.open(&shop.at("/devices")).await;
        browser.shows("We will be back in a moment").await;
        browser.open(&shop.at("/")).await;
        browser.shows("Carts and accounts are not available at the moment.").await;
        assert_eq!(browser.count(".products li").await, 6, "the front page does without");
        assert_eq!(browser.count("a[href^='/login']").await, 0, "nobody is taken for a stranger");
        redis.signal("CONT");
        let after = browser.cookie("__Host-shopper").await.expect("the cookie").value;
        assert_eq!(after, cookie);
        browser.open(&shop.at("/devices")).await;
        browser.shows("This device").await;
    })
    .await;
}
