//! Double clicks on the buttons of the showcase.

use super::shop::{Browser, Shop, in_browser};

/// Two clicks, so many milliseconds apart. A driver's own double click is too fast: the second
/// form is sent in the place of the first one.
async fn double_click(browser: &Browser, selector: &str, apart: u32) {
    let script = "const [selector, apart] = arguments;
        const button = document.querySelector(selector);
        button.click();
        setTimeout(() => button.click(), apart);";
    browser.script(script, vec![selector.into(), apart.into()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_registers_logs_in_and_logs_out() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        for (apart, name) in [(0, "ann"), (3, "bob"), (10, "eve"), (30, "joe")] {
            for path in ["/register?next=/devices", "/login?next=/devices"] {
                browser.open(&shop.at(path)).await;
                browser.write("name", name).await;
                browser.write("password", "swordfish").await;
                double_click(browser, "main button", apart).await;
                browser.shows("This device").await;

                double_click(browser, "form[action='/logout'] button", apart).await;
                browser.shows("Quiet things for the table").await;
                browser.open(&shop.at("/devices")).await;
                browser.shows("Please log in").await;
            }
        }
    })
    .await;
}
