//! Registration, logins, the cart over them, and the password.

use super::browser::{Browser, location, session, token};
use crate::server::*;

#[test]
fn a_visitors_cart_is_there_after_the_registration_and_the_visitors_id_is_worth_nothing() {
    let server = Server::start("showcase", &[]);
    let browser = Browser::new(&server, "Phone");
    for page in ["/", "/cart", "/nothing"] {
        assert_eq!(header(&browser.get(page), "Set-Cookie"), None, "{page} begins no session");
    }
    let product = browser.get("/products/1");
    let visitor = session(&product).split(';').next().expect("name and value").to_owned();
    browser.submit("/products/1", "/cart", "product=1&quantity=2");
    browser.submit("/products/4", "/cart", "product=4");
    assert!(browser.get("/cart").contains("€148.00"));

    let action = "/register?next=%2Fcart";
    let fields = "name=ann&password=swordfish";
    let answer = browser.submit("/register?next=/cart", action, fields);
    assert_eq!(location(&answer), "/cart");
    let cart = browser.get("/cart");
    assert!(cart.contains("€148.00") && cart.contains("You are logged in."), "{cart}");
    assert!(!browser.get("/cart").contains("You are logged in."), "the message is shown once");
    let before = server.raw("/devices", format!("Cookie: {visitor}\r\n").as_bytes());
    assert!(before.starts_with("HTTP/1.1 401"), "{before}");

    assert!(browser.submit("/cart", "/cart/remove", "product=4").starts_with("HTTP/1.1 303"));
    assert!(browser.get("/cart").contains("€69.00"));
    assert_eq!(location(&browser.submit("/cart", "/logout", "")), "/");
    assert!(browser.get("/devices").starts_with("HTTP/1.1 401"));
    assert!(browser.get("/cart").contains("Your cart is empty."));
}

#[test]
fn remember_me_keeps_the_cookie_and_without_it_the_browser_drops_it() {
    let server = Server::start("showcase", &[]);
    let browser = Browser::of(&server, "Phone", "ann");
    browser.submit("/", "/logout", "");
    for (remember, expected) in [("", None), ("&remember=on", Some("7776000"))] {
        let fields = format!("name=ann&password=swordfish{remember}");
        let answer = browser.submit("/login", "/login?next=%2F", &fields);
        let cookie = session(&answer);
        assert!(cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
        let max_age = cookie.split("Max-Age=").nth(1).and_then(|rest| rest.split(';').next());
        assert_eq!(max_age, expected, "{cookie}");
        browser.submit("/", "/logout", "");
    }
}

#[test]
fn the_second_click_of_a_double_click_leads_where_the_first_one_does() {
    let server = Server::start("showcase", &[]);
    for (page, action) in
        [("/register", "/register?next=%2Fcart"), ("/login", "/login?next=%2Fcart")]
    {
        let browser = Browser::new(&server, "Phone");
        let form = token(&browser.get(&format!("{page}?next=/cart")), action);
        let visitor = std::fs::read_to_string(&browser.jar.1).expect("the jar");
        let fields = format!("name=ann&password=swordfish&csrf_token={form}");
        // The second click with the cookie of the first one's answer, and before that answer.
        for late in [true, false] {
            let first = browser.post(action, &fields);
            if !late {
                std::fs::write(&browser.jar.1, &visitor).expect("the jar");
            }
            let second = browser.post(action, &fields);
            for answer in [first, second] {
                assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
                assert_eq!(location(&answer), "/cart");
            }
            assert!(browser.is_logged_in());
        }
    }
}

#[test]
fn a_change_of_the_password_logs_out_whoever_knew_the_former_one() {
    let server = Server::start("showcase", &[]);
    let phone = Browser::of(&server, "Phone", "ann");
    let laptop = Browser::new(&server, "Laptop");
    laptop.log_in("ann", "swordfish");
    for (fields, problem) in [
        ("password=wrong&new_password=marlinspike", "The name or the password is wrong."),
        ("password=swordfish&new_password=short", "A password has at least 8 characters."),
    ] {
        let answer = phone.submit("/password", "/password", fields);
        assert!(answer.starts_with("HTTP/1.1 422") && answer.contains(problem), "{answer}");
    }
    assert!(laptop.is_logged_in());
    phone.submit("/password", "/password", "password=swordfish&new_password=marlinspike");
    assert!(phone.is_logged_in() && !laptop.is_logged_in());
    assert!(laptop.log_in("ann", "swordfish").starts_with("HTTP/1.1 422"));
    assert!(laptop.log_in("ann", "marlinspike").starts_with("HTTP/1.1 303"));
}
