//! The admin area, and the password that it asks for again.

use rocket::http::{ContentType, Status};
use rocket::local::blocking::Client;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::testing::Clock;

use super::app;
use super::browser::{Browser, token};
use crate::server::*;

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
fn outside_the_debug_profile_nobody_is_admin_with_a_known_password() {
    let release = [("ROCKET_PROFILE", "release"), ("ROCKET_SESSIONS__SECRET", SECRET)];
    for (environment, status) in [(&release[..0], 303), (&release[..], 422)] {
        let server = Server::start("showcase", environment);
        let answer = Browser::new(&server, "Laptop").log_in("admin", "admin-password");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}
