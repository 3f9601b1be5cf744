//! Every page in each language and theme.

use super::browser::{Browser, location};
use crate::server::*;

#[test]
fn every_page_is_there_in_both_languages_and_in_the_chosen_theme() {
    let server = Server::start("showcase", &[]);
    let admin = Browser::new(&server, "Laptop");
    let visitor = Browser::new(&server, "Phone");
    admin.log_in("admin", "admin-password");
    for (language, theme, cart) in [("en", "auto", "Cart"), ("de", "dark", "Warenkorb")] {
        for browser in [&admin, &visitor] {
            let fields = format!("language={language}&theme={theme}");
            let action = "/preferences?next=%2Fcart";
            let answer = browser.submit("/preferences?next=/cart", action, &fields);
            assert_eq!(location(&answer), "/cart");
            assert!(!answer.contains(theme) && !answer.contains(&format!("{language}\"")));
        }
        for (browser, path, status) in [
            (&visitor, "/", 200),
            (&visitor, "/products/1", 200),
            (&visitor, "/cart", 200),
            (&visitor, "/login", 200),
            (&visitor, "/register", 200),
            (&visitor, "/preferences", 200),
            (&visitor, "/devices", 401),
            (&visitor, "/products/7", 404),
            (&admin, "/admin", 200),
            (&admin, "/devices", 200),
            (&admin, "/password", 200),
            (&admin, "/confirm", 200),
        ] {
            let page = browser.get(path);
            assert!(page.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {page}");
            let html = format!("<html lang=\"{language}\" data-theme=\"{theme}\">");
            assert!(page.contains(&html), "{path}: {page}");
            assert!(page.contains(&format!(">{cart}")), "{path}: {page}");
            let policy = header(&page, "Content-Security-Policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
            assert!(!page.contains("<script") && !page.contains("style="), "{path}: {page}");
        }
    }
    let cookie = header(&visitor.get("/preferences"), "Set-Cookie").map(str::to_owned);
    assert_eq!(cookie, None, "the page alone does not send the choice again");
}

#[test]
fn a_cart_over_the_limit_shows_the_page_of_a_500_and_stays_as_it_was() {
    let server = Server::start("showcase", &[("ROCKET_SESSIONS__SHOPPER__MAX_PAYLOAD", "39")]);
    let browser = Browser::new(&server, "Phone");
    for (product, status) in [(1, 303), (2, 303), (3, 500)] {
        let page = format!("/products/{product}");
        let answer = browser.submit(&page, "/cart", &format!("product={product}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(answer.contains("<h1>Something went wrong</h1>"), status == 500);
    }
    let cart = browser.get("/cart");
    assert!(cart.contains("€47.30") && !cart.contains("/products/3"), "{cart}");
}
