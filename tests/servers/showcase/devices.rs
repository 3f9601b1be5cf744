//! Two browsers are two devices of a user.

use super::shop::{Shop, in_browser};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_out_another_browser_from_the_page_of_devices() {
    let shop = Shop::start(&[]);
    in_browser(async |one| {
        in_browser(async |other| {
            one.enter(&shop.at("/register"), "ann").await;
            other.enter(&shop.at("/login"), "ann").await;
            for browser in [one, other] {
                browser.open(&shop.at("/devices")).await;
                assert_eq!(browser.count(".devices li").await, 2);
                assert_eq!(browser.count(".devices .this").await, 1);
            }
            one.click("form[action='/devices/end'] button").await;
            one.shows("The device is logged out.").await;
            assert_eq!(one.count(".devices li").await, 1);
            assert_eq!(one.count(".devices .this").await, 1, "the other one is gone");

            other.open(&shop.at("/devices")).await;
            other.shows("Please log in").await;
            other.click("main .button").await;
            other.shows("Your session has ended. Please log in again.").await;
            assert!(other.script("return location.search", Vec::new()).await == "?next=%2Fdevices");
            one.open(&shop.at("/devices")).await;
            one.shows("This device").await;
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_logs_out_the_other_browser_and_not_this_one() {
    let shop = Shop::start(&[]);
    in_browser(async |one| {
        in_browser(async |other| {
            one.enter(&shop.at("/register"), "ann").await;
            other.enter(&shop.at("/login"), "ann").await;
            one.open(&shop.at("/password")).await;
            one.write("password", "swordfish").await;
            one.write("new_password", "marlinspike").await;
            one.click("main button").await;
            one.shows("Your password is changed.").await;
            assert_eq!(one.count(".devices li").await, 1);
            other.open(&shop.at("/cart")).await;
            assert_eq!(other.count("form[action='/logout']").await, 0);
        })
        .await;
    })
    .await;
}
