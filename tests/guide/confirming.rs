//! `docs/logging-in.md`: the password is asked for again, and where that leads.

use std::time::Duration;

use rocket::form::FromForm;
use rocket::http::{ContentType, Method, Status, uri::Origin};
use rocket::local::blocking::{Client, LocalResponse};
use rocket::response::{Redirect, content::RawHtml};
use rocket::{Request, catch, catchers, get, post, routes, uri};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
use rocket_typed_sessions::testing::Clock;
use rocket_typed_sessions::{
    Authenticate, Authenticated, RecentlyAuthenticated, Session, Sessions,
};

use crate::support::*;

impl Authenticate for User {}

#[get("/login?<next>")]
fn login_page(session: Session<User>, next: Option<&str>) -> String {
    session.login(user("ann"));
    format!("{next:?}")
}

#[get("/keys")]
fn keys(_user: RecentlyAuthenticated<User, 10>) -> &'static str {
    "the keys"
}

#[post("/keys")]
fn new_key(_user: RecentlyAuthenticated<User, 10>) -> &'static str {
    "a new key"
}

#[catch(401)]
async fn challenge(request: &Request<'_>) -> Redirect {
    let next = (request.method() == Method::Get).then(|| request.uri().to_string());
    if request.guard::<Authenticated<User>>().await.is_success() {
        Redirect::to(uri!(confirm_page(next)))
    } else {
        Redirect::to(uri!(login_page(next)))
    }
}

#[catch(401)]
fn logged_out() -> &'static str {
    "log in first"
}

fn confirm_form(csrf: CsrfToken<User>) -> RawHtml<String> {
    RawHtml(format!(r#"csrf_token="{csrf}""#))
}

#[get("/confirm?<next>")]
fn confirm_page(
    _user: Authenticated<User>,
    csrf: CsrfToken<User>,
    next: Option<&str>,
) -> RawHtml<String> {
    let _ = next;
    confirm_form(csrf)
}

#[derive(FromForm)]
struct Proof<'r> {
    password: &'r str,
}

#[post("/confirm?<next>", data = "<form>")]
fn confirm(
    user: Authenticated<User>,
    csrf: CsrfToken<User>,
    form: CsrfForm<User, Proof<'_>>,
    next: Option<&str>,
) -> Result<Redirect, (Status, RawHtml<String>)> {
    if form.password != "swordfish" {
        return Err((Status::Unauthorized, confirm_form(csrf)));
    }
    user.session().reauthenticate();
    Ok(Redirect::to(next.filter(|next| is_own(next)).unwrap_or("/account").to_owned()))
}

fn is_own(text: &str) -> bool {
    let Ok(uri) = Origin::parse(text) else { return false };
    let is_strange = |segment: &str| {
        [".", ".."].contains(&segment)
            || segment.contains(|c: char| c.is_control() || "/\\".contains(c))
    };
    !uri.path().contains("//") && !uri.path().segments().any(is_strange)
}

fn app(clock: &Clock) -> Client {
    let rocket = rocket::custom(figment("memory"))
        .attach(Sessions::fairing().clock(clock))
        .mount("/", routes![login_page, keys, new_key, confirm_page, confirm])
        .mount("/streams", routes![keys])
        .register("/", catchers![challenge])
        .register("/streams", catchers![logged_out]);
    Client::tracked(rocket).expect("a rocket")
}

fn location(response: &LocalResponse<'_>) -> String {
    response.headers().get_one("Location").unwrap_or_default().to_owned()
}

/// Sends the form of a page. Returns the answer's status, where it leads, and what it shows.
fn send(client: &Client, page: &str, form: &str, password: &str) -> (u16, String, String) {
    let token = form.split('"').nth(1).unwrap_or_default();
    let body = format!("password={password}&csrf_token={token}");
    let answer = client.post(page.to_owned()).header(ContentType::Form).body(body).dispatch();
    (answer.status().code, location(&answer), answer.into_string().unwrap_or_default())
}

#[test]
fn the_page_that_was_asked_for_comes_after_the_password() {
    let clock = Clock::new();
    let client = app(&clock);
    assert_eq!(location(&client.get("/keys").dispatch()), "/login?next=%2Fkeys");
    client.get("/login").dispatch();
    assert_eq!(client.get("/keys").dispatch().into_string().as_deref(), Some("the keys"));

    clock.advance(Duration::from_secs(11 * 60));
    let page = location(&client.get("/keys").dispatch());
    assert_eq!(page, "/confirm?next=%2Fkeys");
    let form = client.get(&page).dispatch().into_string().expect("a form");
    let (status, _, again) = send(&client, &page, &form, "wrong");
    assert_eq!(status, 401);
    let (status, next, _) = send(&client, &page, &again, "swordfish");
    assert_eq!((status, next.as_str()), (303, "/keys"));
    assert_eq!(client.get("/keys").dispatch().into_string().as_deref(), Some("the keys"));
}

#[test]
fn neither_a_form_nor_another_site_is_where_the_password_leads() {
    let clock = Clock::new();
    let client = app(&clock);
    client.get("/login").dispatch();
    clock.advance(Duration::from_secs(11 * 60));
    let page = location(&client.post("/keys").dispatch());
    assert_eq!(page, "/confirm");
    let form = client.get(&page).dispatch().into_string().expect("a form");
    for next in ["", "?next=//evil.example", "?next=/%5Cevil.example", "?next=https://evil.example"]
    {
        let (status, next, _) = send(&client, &format!("/confirm{next}"), &form, "swordfish");
        assert_eq!((status, next.as_str()), (303, "/account"));
    }
}

/// `docs/streams.md`: a path whose clients are no browsers.
#[test]
fn a_path_with_a_catcher_of_its_own_answers_401() {
    let client = app(&Clock::new());
    assert_eq!(client.get("/keys").dispatch().status(), Status::SeeOther);
    assert_eq!(client.get("/streams/keys").dispatch().status(), Status::Unauthorized);
}
