//! What a form may ask for: nothing without its token, and no page of another site.

use super::browser::{Browser, location, token};
use crate::server::*;

#[test]
fn no_form_is_taken_without_its_own_token() {
    let server = Server::start("showcase", &[]);
    let (browser, other) =
        (Browser::of(&server, "Phone", "ann"), Browser::of(&server, "Phone", "bob"));
    let visitor = Browser::new(&server, "Tablet");
    let admin = Browser::new(&server, "Laptop");
    admin.log_in("admin", "admin-password");
    // Each has a session for its forms.
    visitor.get("/products/1");
    browser.get("/preferences");
    let of_other = token(&other.get("/devices"), "/logout");
    for (sender, path, fields) in [
        (&visitor, "/cart", "product=1"),
        (&visitor, "/login", "name=ann&password=swordfish"),
        (&visitor, "/register", "name=eve&password=swordfish"),
        (&browser, "/cart", "product=1"),
        (&browser, "/cart/remove", "product=1"),
        (&browser, "/logout", ""),
        (&browser, "/password", "password=swordfish&new_password=marlinspike"),
        (&browser, "/confirm", "password=swordfish"),
        (&browser, "/devices/end", "device=x"),
        (&browser, "/devices/others", ""),
        (&browser, "/devices/everywhere", ""),
        (&browser, "/preferences", "language=de&theme=dark"),
        (&admin, "/admin/logout", "account=x"),
    ] {
        for token in ["", &of_other] {
            let answer = sender.post(path, &format!("{fields}&csrf_token={token}"));
            assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
            assert!(answer.contains("<h1>This is not allowed</h1>"), "a friendly page: {answer}");
        }
    }
    assert!(browser.is_logged_in() && !visitor.is_logged_in());
    let cross = ["-H", "Origin: http://evil.example", "-H", "Sec-Fetch-Site: cross-site"];
    let good = token(&browser.get("/devices"), "/logout");
    let fields = format!("csrf_token={good}");
    let answer = browser.ask("/logout", &[&cross[..], &["-d", &fields]].concat());
    assert!(answer.starts_with("HTTP/1.1 403"), "another origin: {answer}");
    assert!(browser.post("/logout", &fields).starts_with("HTTP/1.1 303"), "the same from here");
}

#[test]
fn a_login_leads_to_a_page_of_this_site_whatever_the_link_says() {
    let server = Server::start("showcase", &[]);
    let user = Browser::of(&server, "Phone", "ann");
    for (next, expected) in [
        ("/cart", "/cart"),
        ("/products/1?from=mail", "/products/1?from=mail"),
        ("", "/"),
        ("cart", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("http://127.0.0.1@evil.example/", "/"),
        ("/cart\r\nSet-Cookie: a=b", "/"),
    ] {
        let more = ["-G", "--data-urlencode", &format!("next={next}")];
        let sent_on = user.ask("/login", &more);
        assert!(sent_on.starts_with("HTTP/1.1 303"), "{next:?}: {sent_on}");
        assert_eq!(location(&sent_on), expected, "{next:?}");

        let page = Browser::new(&server, "Phone");
        let form = page.ask("/login", &more);
        let (_, action) = form.split_once("method=\"post\" action=\"").expect(&form);
        let action = action.split('"').next().expect("its action");
        let fields = format!("name=ann&password=swordfish&csrf_token={}", token(&form, action));
        assert_eq!(location(&page.post(action, &fields)), expected, "{next:?}");
    }
}
