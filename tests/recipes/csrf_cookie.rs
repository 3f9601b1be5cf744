//! A CSRF cookie for scripts is in step with its session after every answer.

use rocket::http::Header;
use rocket::{Responder, get, routes};
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::{Memory, StorageError};
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};

use crate::recipes;
use crate::recipes::users::Users;
use crate::server::{Answer, Browser, figment, serve, start};

const HOME: &str = "/csrf-cookie";
const COOKIE: &str = "XSRF-TOKEN";

/// A script's request with the token that it reads in the cookie.
async fn script(browser: &mut Browser, path: &str) -> Answer {
    let token = browser.cookie(COOKIE).unwrap_or_default().to_owned();
    let line = format!("POST /csrf-cookie/{path}");
    let answer = browser.send(&line, &[("X-XSRF-TOKEN", &token)], "").await;
    browser.keep(&answer);
    answer
}

fn sets_it(answer: &Answer) -> bool {
    answer.headers("Set-Cookie").any(|cookie| cookie.starts_with(COOKIE))
}

#[tokio::test]
async fn the_cookie_follows_the_session_from_its_login_to_its_end() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    let visit = browser.get(HOME).await;
    assert_eq!(visit.header("Set-Cookie"), None, "a visitor has none");
    let login = browser.post("/csrf-cookie/login/ann", "").await;
    let cookie = login.headers("Set-Cookie").find(|cookie| cookie.starts_with(COOKIE));
    let cookie = cookie.expect("the cookie").to_owned();
    assert!(
        cookie.ends_with("; SameSite=Strict; Path=/") && !cookie.contains("HttpOnly"),
        "{cookie}"
    );
    for _ in 0..2 {
        assert_eq!(script(&mut browser, "notes").await.body, "Noted.\n");
    }
    assert!(!sets_it(&browser.get(HOME).await), "it is good, so it does not go out again");

    let mut before = browser.clone();
    let renewed = script(&mut browser, "renew").await;
    assert!(renewed.status == 200 && sets_it(&renewed));
    assert_eq!(script(&mut browser, "notes").await.status, 200);
    assert_eq!(script(&mut before, "notes").await.status, 403, "the token from before");
    browser.post("/csrf-cookie/login/ben", "").await;
    assert_eq!(script(&mut browser, "notes").await.status, 200, "after another login");

    assert_eq!(script(&mut browser, "logout").await.status, 200);
    assert_eq!((browser.cookie(COOKIE), browser.cookie("panel")), (None, None));
    assert_eq!(script(&mut browser, "notes").await.status, 403);
}

#[tokio::test]
async fn a_cookie_that_is_missing_or_wrong_is_sent_again() {
    let (server, _) = start::<Users>().await;
    let (mut browser, mut other) = (server.browser(), server.browser());
    browser.post("/csrf-cookie/login/ann", "").await;
    other.post("/csrf-cookie/login/ben", "").await;
    let foreign = other.cookie(COOKIE).expect("a cookie").to_owned();
    for wrong in [None, Some("forged"), Some(foreign.as_str())] {
        browser.plant(COOKIE, wrong);
        assert_eq!(script(&mut browser, "notes").await.status, 403, "{wrong:?}");
        // The refusal has brought the right one.
        assert_eq!(script(&mut browser, "notes").await.status, 200, "{wrong:?}");
    }
}

#[tokio::test]
async fn answers_to_requests_from_before_a_login_leave_its_cookie_alone() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    browser.post("/csrf-cookie/login/ann", "").await;
    let mut late = browser.clone();
    browser.post("/csrf-cookie/login/ann", "").await;
    for held in [late.cookie(COOKIE).map(str::to_owned), None] {
        late.plant(COOKIE, held.as_deref());
        for answer in [late.get(HOME).await, script(&mut late.clone(), "notes").await] {
            assert_eq!(answer.header("Set-Cookie"), None);
            browser.keep(&answer);
        }
    }
    assert_eq!(script(&mut browser, "notes").await.status, 200);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_or_saved_leaves_the_cookie_alone() {
    let storage = Faulty::new(Memory::new(100));
    let sessions = Sessions::fairing().storage("faulty", storage.clone());
    let figment = figment().merge(("sessions.panel.storage", "faulty"));
    let (server, _) = serve::<Users>(recipes::build(figment, sessions)).await;
    let mut browser = server.browser();
    browser.post("/csrf-cookie/login/ann", "").await;
    for (operation, path) in
        [(Operation::Read, "renew"), (Operation::Update, "renew"), (Operation::Create, "login/ben")]
    {
        storage.set(operation, Fault::Fails(StorageError::Unavailable("down".into(), None)));
        let answer = script(&mut browser, path).await;
        assert_eq!((answer.status, answer.header("Set-Cookie")), (503, None));
        storage.mend();
    }
    assert_eq!(script(&mut browser, "notes").await.status, 200);
}

#[derive(Responder)]
struct Public(&'static str, Header<'static>);

/// A page that looks at no session, and says that every cache may keep it.
#[get("/csrf-cookie/public")]
fn public() -> Public {
    Public("The same for everybody.", Header::new("Cache-Control", "public, max-age=60"))
}

#[tokio::test]
async fn no_shared_cache_keeps_an_answer_with_the_cookie() {
    let rocket = recipes::build(figment(), Sessions::fairing()).mount("/", routes![public]);
    let (server, _) = serve::<Users>(rocket).await;
    let mut browser = server.browser();
    let visit = browser.get("/csrf-cookie/public").await;
    assert_eq!(visit.header("Cache-Control").as_deref(), Some("public, max-age=60"));
    browser.post("/csrf-cookie/login/ann", "").await;
    browser.plant(COOKIE, None);
    let page = browser.get("/csrf-cookie/public").await;
    assert!(sets_it(&page));
    let caching = page.header("Cache-Control").expect("a rule");
    assert!(!caching.contains("public"), "{caching}");
}
