//! The pages themselves: their policy, theme, language, keyboard and width.

use super::shop::{Browser, Shop, in_browser};

async fn says(browser: &Browser, expression: &str) -> String {
    let value = browser.script(&format!("return String({expression})"), Vec::new()).await;
    value.as_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_lets_the_shops_own_style_and_pictures_in_and_no_script() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        browser.open(&shop.at("/")).await;
        assert_eq!(says(browser, "document.styleSheets[0].cssRules.length > 50").await, "true");
        let pictures = "[...document.images].every(image => image.naturalWidth > 0)";
        assert_eq!(says(browser, pictures).await, "true");
        let inject = "(() => {
            const script = document.createElement('script');
            script.textContent = 'window.injected = true';
            document.body.append(script);
            return window.injected;
        })()";
        assert_eq!(says(browser, inject).await, "undefined");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn language_and_theme_follow_the_choice_on_every_page() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        let background = "getComputedStyle(document.body).backgroundColor";
        for (theme, color) in [("dark", "rgb(28, 29, 27)"), ("light", "rgb(247, 245, 240)")] {
            browser.open(&shop.at("/cart")).await;
            browser.click("footer a").await;
            browser.click("[value='de']").await;
            browser.click(&format!("[value='{theme}']")).await;
            browser.click("main button").await;
            browser.shows("Ihre Wahl ist gespeichert.").await;
            browser.shows("Der Warenkorb ist leer.").await;
            for page in ["/", "/login", "/nothing"] {
                browser.open(&shop.at(page)).await;
                assert_eq!(says(browser, "document.documentElement.lang").await, "de", "{page}");
                assert_eq!(says(browser, background).await, color, "{page}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_registers_with_the_keyboard_alone() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        browser.open(&shop.at("/register")).await;
        browser.keys("\u{e004}").await; // Tab
        assert_eq!(says(browser, "document.activeElement.className").await, "skip");
        assert_eq!(says(browser, "document.activeElement.offsetTop > 0").await, "true");
        browser.keys("\u{e007}\u{e004}ann\u{e004}swordfish\u{e007}").await; // Enter
        browser.shows("You are logged in.").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_phone_in_both_languages() {
    let shop = Shop::start(&[]);
    in_browser(async |browser| {
        browser.enter_with(&shop.at("/login"), "admin", "admin-password").await;
        browser.open(&shop.at("/products/5")).await;
        browser.click("main button").await;
        browser.narrow(360).await;
        for language in ["en", "de"] {
            browser.open(&shop.at("/preferences")).await;
            browser.click(&format!("[value='{language}']")).await;
            browser.click("main button").await;
            for page in ["/", "/products/5", "/cart", "/devices", "/password", "/admin"] {
                browser.open(&shop.at(page)).await;
                assert_eq!(says(browser, "innerWidth").await, "360");
                let root = "document.documentElement";
                let fits = format!("{root}.scrollWidth <= {root}.clientWidth");
                assert_eq!(says(browser, &fits).await, "true", "{page}, {language}");
            }
        }
    })
    .await;
}
