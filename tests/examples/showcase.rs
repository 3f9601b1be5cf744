//! The showcase as its visitors use it: accounts, carts, devices, the admin area and the JSON interface.

use rocket::http::{ContentType, Status};
use rocket::local::blocking::Client;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::testing::Clock;

use crate::server::*;

#[allow(dead_code)] // Its `main`.
#[path = "../../examples/showcase/main.rs"]
mod app;

/// A browser with a cookie jar, and what it says of itself.
struct Browser<'s> {
    server: &'s Server,
    agent: &'static str,
    jar: (tempfile::TempDir, String),
}

impl<'s> Browser<'s> {
    fn new(server: &'s Server, agent: &'static str) -> Self {
        Self { server, agent, jar: jar() }
    }

    /// A browser whose user has just registered.
    fn of(server: &'s Server, agent: &'static str, name: &str) -> Self {
        let browser = Self::new(server, agent);
        let fields = format!("name={name}&password=swordfish");
        let answer = browser.submit("/register", "/register?next=%2F", &fields);
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        browser
    }

    fn ask(&self, path: &str, more: &[&str]) -> String {
        let jar = &self.jar.1;
        let all = [&["-i", "-A", self.agent, "-b", jar, "-c", jar], more].concat();
        // Tera writes a slash like this.
        self.server.curl(path, &all).replace("&#x2F;", "/")
    }

    fn get(&self, path: &str) -> String {
        self.ask(path, &[])
    }

    fn post(&self, path: &str, fields: &str) -> String {
        self.ask(path, &["-d", fields])
    }

    /// Opens a page and sends its form with this action.
    fn submit(&self, page: &str, action: &str, fields: &str) -> String {
        let token = token(&self.get(page), action);
        self.post(action, &format!("{fields}&csrf_token={token}"))
    }

    fn log_in(&self, name: &str, password: &str) -> String {
        let fields = format!("name={name}&password={password}");
        self.submit("/login", "/login?next=%2F", &fields)
    }

    fn is_logged_in(&self) -> bool {
        self.get("/devices").starts_with("HTTP/1.1 200")
    }

    fn devices(&self) -> usize {
        self.get("/devices").matches("class=\"agent\"").count()
    }
}

/// The token of the form with this action.
fn token(page: &str, action: &str) -> String {
    let (_, form) = page.split_once(&format!("action=\"{action}\"")).expect(page);
    let (_, field) = form.split_once("name=\"csrf_token\" value=\"").expect(form);
    field.split('"').next().expect("its value").to_owned()
}

/// The `Set-Cookie` of the shopper's session.
fn session(answer: &str) -> &str {
    let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(_, value)| value.starts_with("__Host-shopper="));
    found.map(|(_, value)| value).expect(answer)
}

fn location(answer: &str) -> &str {
    header(answer, "Location").unwrap_or(answer)
}

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
fn a_user_sees_all_devices_and_logs_out_one_and_all_others_and_everywhere() {
    let server = Server::start("showcase", &[]);
    let phone = Browser::of(&server, "Phone", "ann");
    let [laptop, tablet] = ["Laptop<b>", "Tablet"].map(|agent| Browser::new(&server, agent));
    for device in [&laptop, &tablet] {
        device.log_in("ann", "swordfish");
    }
    let page = phone.get("/devices");
    for agent in ["Phone", "Laptop&lt;b&gt;", "Tablet"] {
        assert!(page.contains(&format!("<p class=\"agent\">{agent}</p>")), "{page}");
    }
    let (_, this) = page.split_once("<p class=\"agent\">Phone").expect("the phone");
    assert!(page.matches("This device").count() == 1 && this.contains("This device"), "{page}");

    let (_, form) = page.split_once("Laptop&lt;b&gt;").expect("the laptop");
    let (_, handle) = form.split_once("name=\"device\" value=\"").expect("its handle");
    let handle = handle.split('"').next().expect("its value");
    let stranger = Browser::of(&server, "Phone", "eve");
    let fields = format!("device={handle}");
    stranger.submit("/devices", "/devices/others", "");
    let token = token(&stranger.get("/devices"), "/devices/others");
    stranger.post("/devices/end", &format!("{fields}&csrf_token={token}"));
    assert!(stranger.get("/devices").contains("There is no such device."));
    assert!(laptop.is_logged_in(), "nobody ends the device of somebody else");

    phone.submit("/devices", "/devices/end", &fields);
    assert!(phone.get("/devices").contains("The device is logged out."));
    let ended = laptop.get("/login");
    assert!(ended.contains("Your session has ended. Please log in again."), "{ended}");
    assert!(!laptop.is_logged_in() && tablet.is_logged_in());

    phone.submit("/devices", "/devices/others", "");
    assert!(!tablet.is_logged_in() && phone.devices() == 1);

    tablet.log_in("ann", "swordfish");
    assert_eq!(tablet.devices(), 2);
    assert_eq!(location(&phone.submit("/devices", "/devices/everywhere", "")), "/");
    assert!(!phone.is_logged_in() && !tablet.is_logged_in());
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

#[test]
fn the_admin_area_is_for_admins() {
    let server = Server::start("showcase", &[]);
    let visitor = Browser::new(&server, "Phone").get("/admin");
    assert!(visitor.starts_with("HTTP/1.1 401"), "{visitor}");
    assert!(visitor.contains("href=\"/login?next=%2Fadmin\""), "{visitor}");
    let customer = Browser::of(&server, "Phone", "ann");
    assert!(customer.get("/admin").starts_with("HTTP/1.1 403"));
    assert!(customer.post("/admin/logout", "account=x").starts_with("HTTP/1.1 403"));

    let admin = Browser::new(&server, "Laptop");
    admin.log_in("admin", "admin-password");
    let area = admin.get("/admin");
    let (_, row) = area.split_once(">ann</th>").expect(&area);
    let (_, account) = row.split_once("name=\"account\" value=\"").expect("its id");
    let account = account.split('"').next().expect("its value");
    admin.submit("/admin", "/admin/logout", &format!("account={account}"));
    assert!(admin.get("/admin").contains("The account is logged out everywhere."));
    assert!(!customer.is_logged_in() && admin.is_logged_in());
}

#[test]
fn the_admin_area_asks_for_the_password_again_after_ten_minutes() {
    let clock = Clock::new();
    let client = Client::tracked(app::shop(Sessions::fairing().clock(&clock))).expect("the shop");
    let get = |uri: &'static str| {
        let response = client.get(uri).dispatch();
        let location = response.headers().get_one("Location").map(str::to_owned);
        let status = response.status();
        let page = response.into_string().unwrap_or_default().replace("&#x2F;", "/");
        (status, location, page)
    };
    let submit = |page: &'static str, action: &'static str, fields: &str| {
        let body = format!("{fields}&csrf_token={}", token(&get(page).2, action));
        let response = client.post(action).header(ContentType::Form).body(body).dispatch();
        (response.status(), response.headers().get_one("Location").map(str::to_owned))
    };
    submit("/login", "/login?next=%2F", "name=admin&password=admin-password");
    assert_eq!(get("/admin").0, Status::Ok, "the login is recent");
    let other_tab = token(&get("/admin").2, "/admin/logout");

    clock.advance(std::time::Duration::from_secs(11 * 60));
    let confirm = Some("/confirm?next=%2Fadmin".to_owned());
    assert_eq!(get("/admin").1, confirm);
    let body = format!("account=x&csrf_token={other_tab}");
    let post = || {
        let request = client.post("/admin/logout").header(ContentType::Form).body(&body);
        request.dispatch().headers().get_one("Location").map(str::to_owned)
    };
    assert_eq!(post(), confirm, "forms, too");
    let id = || client.cookies().get("__Host-shopper").map(|cookie| cookie.value().to_owned());
    let before = id();
    let action = "/confirm?next=%2Fadmin";
    assert_eq!(submit(action, action, "password=wrong").0, Status::UnprocessableEntity);
    assert_eq!(get("/admin").1, confirm);
    assert_eq!(submit(action, action, "password=admin-password").1, Some("/admin".into()));
    assert_ne!(id(), before, "the session has another id");
    assert_eq!(get("/admin").0, Status::Ok);
    assert_eq!(post(), Some("/admin".into()), "the form of the other tab is still good");
}

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
fn a_mobile_client_carries_its_session_in_a_header_and_one_origin_may_read_it() {
    let server = Server::start("showcase", &[("ROCKET_APP_ORIGIN", "https://app.example")]);
    let json = ["-i", "-H", "Content-Type: application/json", "-H", "Origin: https://app.example"];
    let add = |more: &[&str], item: &str| {
        server.curl("/api/cart", &[&json[..], &["-d", item], more].concat())
    };
    let first = add(&[], r#"{"product":2,"quantity":3}"#);
    let carried = format!("Shop-Session: {}", header(&first, "Shop-Session").expect("a token"));
    assert_eq!(header(&first, "Set-Cookie"), None);
    assert_eq!(header(&first, "Cache-Control"), Some("no-store"));
    let with = ["-H", &*carried];
    let second = add(&with, r#"{"product":2,"quantity":1}"#);
    assert_eq!(header(&second, "Shop-Session"), None, "the client has it already");
    assert!(body(&second).ends_with(r#""quantity":4,"price":"€51.20"}],"total":"€51.20"}"#));
    for answer in [&first, &second] {
        assert_eq!(header(answer, "Access-Control-Allow-Origin"), Some("https://app.example"));
        assert_eq!(header(answer, "Access-Control-Expose-Headers"), Some("Shop-Session"));
        assert_eq!(header(answer, "Access-Control-Allow-Credentials"), None);
    }

    let asks = ["-i", "-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST"];
    let preflight = server.curl("/api/cart", &[&asks[..], &with].concat());
    assert!(preflight.starts_with("HTTP/1.1 204"), "{preflight}");
    let allowed = header(&preflight, "Access-Control-Allow-Headers");
    assert_eq!(allowed, Some("Content-Type, Shop-Session"));
    assert_eq!(header(&server.curl("/cart", &["-i"]), "Access-Control-Allow-Origin"), None);

    let unknown = add(&with, r#"{"product":7,"quantity":1}"#);
    assert_eq!(body(&unknown), r#"{"error":"Not Found"}"#);
    server.curl("/api/cart", &[&with[..], &["-X", "DELETE"]].concat());
    let after = server.curl("/api/cart", &with);
    assert_eq!(after, r#"{"lines":[],"total":"€0.00"}"#);
}
