//! Logging in at another site: a tab each, once, in one browser, and never for somebody else.

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::testing::SessionRequest;
use std::time::{Duration, SystemTime};

use crate::recipes;
use crate::recipes::flows::{Flow, Flows};
use crate::recipes::provider::Provider;
use crate::server::{Browser, Server, encode, figment, start};

const HOME: &str = "/oauth";

/// Begins a login, and returns the provider's page.
async fn begin(browser: &mut Browser, next: &str) -> String {
    let begun = browser.get(&format!("/oauth/login?next={}", encode(next))).await;
    assert_eq!(begun.status, 303);
    begun.location()
}

/// Allows the login at the provider, and returns the address that it sends the browser to.
async fn allow(browser: &mut Browser, page: &str, user: &str) -> String {
    let allowed = browser.get(&format!("{page}&user={user}")).await;
    assert_eq!(allowed.status, 303, "{}", allowed.body);
    allowed.location()
}

async fn logged_in(server: &Server, user: &str) -> Browser {
    let mut browser = server.browser();
    let page = begin(&mut browser, HOME).await;
    let callback = allow(&mut browser, &page, user).await;
    assert_eq!(browser.get(&callback).await.location(), HOME);
    browser
}

async fn shown(browser: &mut Browser) -> String {
    let page = browser.get(HOME).await;
    page.body.lines().next().unwrap_or_default().to_owned()
}

/// Begins to link an account, and returns the provider's page.
async fn begin_link(browser: &mut Browser) -> String {
    let token = browser.get(HOME).await.field("csrf_token");
    let begun = browser.post("/oauth/link", &format!("csrf_token={token}")).await;
    assert_eq!(begun.status, 303);
    begun.location()
}

#[tokio::test]
async fn each_tab_has_a_login_of_its_own_that_leads_where_it_was_to() {
    let (server, provider) = start::<Provider>().await;
    let mut browser = server.browser();
    let mut pages = Vec::new();
    for tab in 1..=3 {
        pages.push(begin(&mut browser, &format!("/oauth?tab={tab}")).await);
    }
    // They are answered in another order.
    for (tab, page) in [(3, &pages[2]), (1, &pages[0]), (2, &pages[1])] {
        let callback = allow(&mut browser, page, "ann").await;
        let answer = browser.get(&callback).await;
        assert_eq!((answer.status, answer.location()), (303, format!("/oauth?tab={tab}")));
    }
    assert_eq!(shown(&mut browser).await, "User 1: ann");
    assert_eq!(provider.lock().await.exchanges, 3);
    assert_eq!(shown(&mut logged_in(&server, "ann").await).await, "User 1: ann", "the same user");
    assert_eq!(shown(&mut logged_in(&server, "bob").await).await, "User 2: bob");
    let evil = begin(&mut browser, "//evil.example").await;
    let callback = allow(&mut browser, &evil, "ann").await;
    assert_eq!(browser.get(&callback).await.location(), HOME);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_callbacks_with_one_state_one_logs_in() {
    let (server, provider) = start::<Provider>().await;
    for round in 1..=5 {
        let mut browser = server.browser();
        let page = begin(&mut browser, HOME).await;
        let callback = allow(&mut browser, &page, "ann").await;
        let requests = (0..20).map(|_| {
            let (browser, line) = (browser.clone(), format!("GET {callback}"));
            tokio::spawn(async move { browser.send(&line, &[], "").await })
        });
        let requests: Vec<_> = requests.collect();
        let mut answers = Vec::new();
        for request in requests {
            answers.push(request.await.expect("no panic"));
        }
        let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 303);
        assert_eq!((good.len(), bad.len()), (1, 19));
        assert!(bad.iter().all(|answer| answer.status == 400));
        // The others begin nothing that could take the login's cookie away.
        assert!(bad.iter().all(|answer| answer.headers("Set-Cookie").count() == 0));
        assert_eq!(provider.lock().await.exchanges, round);
        browser.keep(good[0]);
        assert_eq!(shown(&mut browser).await, "User 1: ann");
    }
}

#[tokio::test]
async fn nobody_is_logged_in_to_somebody_elses_account() {
    let (server, provider) = start::<Provider>().await;
    let mut mallory = server.browser();
    let page = begin(&mut mallory, HOME).await;
    let trap = allow(&mut mallory, &page, "mallory").await;
    // A victim without any cookie, one with a login under way, and one who has logged in.
    let (mut visitor, mut beginner) = (server.browser(), server.browser());
    let own = begin(&mut beginner, HOME).await;
    let mut ann = logged_in(&server, "ann").await;
    let before = provider.lock().await.exchanges;
    for victim in [&mut visitor, &mut beginner, &mut ann] {
        let answer = victim.get(&trap).await;
        assert_eq!((answer.status, answer.header("Set-Cookie")), (400, None));
    }
    assert_eq!(provider.lock().await.exchanges, before, "the code stays unused");
    assert_eq!(visitor.get(HOME).await.status, 401);
    assert_eq!(shown(&mut ann).await, "User 1: ann");
    // The victim's own login goes on, and so does mallory's.
    let callback = allow(&mut beginner, &own, "ben").await;
    assert_eq!(beginner.get(&callback).await.location(), HOME);
    assert_eq!(mallory.get(&trap).await.location(), HOME);
    // A code of another login does not fit: its verifier is another one.
    let page = begin(&mut mallory, HOME).await;
    let theirs = allow(&mut mallory, &page, "mallory").await;
    let page = begin(&mut visitor, HOME).await;
    let mine = allow(&mut visitor, &page, "ann").await;
    let (code, _) = theirs.split_once("&state").expect("a state");
    let (_, state) = mine.split_once("&state").expect("a state");
    assert_eq!(visitor.get(&format!("{code}&state{state}")).await.status, 403);
    assert_eq!(visitor.get(HOME).await.status, 401);
}

#[tokio::test]
async fn error_answers_end_their_login_and_no_other() {
    let (server, provider) = start::<Provider>().await;
    let mut browser = server.browser();
    let (page, other) = (begin(&mut browser, HOME).await, begin(&mut browser, HOME).await);
    let cancelled = allow(&mut browser, &page, "").await;
    let answer = browser.get(&cancelled).await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "You have cancelled the login.\n"));
    assert_eq!(browser.get(&cancelled).await.status, 400, "it is done");
    for strange in [
        "",
        "?code=x",
        "?state=",
        "?state=x&code=y",
        "?error=access_denied",
        "?error=%3Cb%3E&state=x",
    ] {
        let answer = browser.get(&format!("/oauth/callback{strange}")).await;
        assert_eq!(answer.status, 400, "{strange}");
        assert!(!answer.body.contains('<'), "{}", answer.body);
    }
    let callback = allow(&mut browser, &other, "ann").await;
    let (_, state) = callback.split_once("&state=").expect("a state");
    assert_eq!(
        browser.get(&format!("/oauth/callback?error=server_error&state={state}")).await.status,
        403
    );
    assert_eq!(browser.get(&callback).await.status, 400);
    assert_eq!(provider.lock().await.exchanges, 0);
}

#[tokio::test]
async fn a_second_account_is_linked_to_the_user_who_asked() {
    let (server, _) = start::<Provider>().await;
    let mut ann = logged_in(&server, "ann").await;
    let page = begin_link(&mut ann).await;
    let callback = allow(&mut ann, &page, "ann2").await;
    assert_eq!(ann.get(&callback).await.location(), HOME);
    assert_eq!(shown(&mut ann).await, "User 1: ann, ann2");
    assert_eq!(shown(&mut logged_in(&server, "ann2").await).await, "User 1: ann, ann2");
    // An account of somebody else's.
    let mut bob = logged_in(&server, "bob").await;
    let page = begin_link(&mut bob).await;
    let callback = allow(&mut bob, &page, "ann2").await;
    assert_eq!(bob.get(&callback).await.status, 409);
    assert_eq!(shown(&mut bob).await, "User 2: bob");
}

#[tokio::test]
async fn an_account_is_linked_only_by_its_user_and_from_the_form() {
    let (server, _) = start::<Provider>().await;
    let mut ann = logged_in(&server, "ann").await;
    assert_eq!(ann.post("/oauth/link", "").await.status, 403, "without the form's token");
    // Mallory's link, sent to ann.
    let mut mallory = logged_in(&server, "mallory").await;
    let page = begin_link(&mut mallory).await;
    let trap = allow(&mut mallory, &page, "mallory2").await;
    assert_eq!(ann.get(&trap).await.status, 400);
    // Whoever has logged out or in meanwhile links nothing.
    for user in [None, Some("bob")] {
        let mut browser = logged_in(&server, "ann").await;
        let page = begin_link(&mut browser).await;
        browser.post("/oauth/logout", "").await;
        if let Some(user) = user {
            let own = begin(&mut browser, HOME).await;
            let callback = allow(&mut browser, &own, user).await;
            browser.get(&callback).await;
        }
        let callback = allow(&mut browser, &page, "ann3").await;
        assert_eq!(browser.get(&callback).await.status, 409, "{user:?}");
    }
    assert_eq!(shown(&mut ann).await, "User 1: ann");
}

#[tokio::test]
async fn a_login_is_under_way_for_ten_minutes_and_in_eight_tabs() {
    let rocket = recipes::build(figment(), Sessions::fairing());
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    for (age, expected) in [(590, Status::Forbidden), (610, Status::BadRequest)] {
        let began = SystemTime::now() - Duration::from_secs(age);
        let text = |text: &str| text.to_owned();
        let flow =
            Flow { state: text("s"), verifier: text("v"), next: text("/"), link_to: None, began };
        let request = client.get("/oauth/callback?state=s&code=unknown");
        let answer = request.session(&Flows { open: vec![flow] }).dispatch().await;
        assert_eq!(answer.status(), expected, "after {age} seconds");
    }
    let (server, _) = start::<Provider>().await;
    let mut browser = server.browser();
    let mut pages = Vec::new();
    for _ in 0..9 {
        pages.push(begin(&mut browser, HOME).await);
    }
    for (tab, page) in pages.iter().enumerate() {
        let callback = allow(&mut browser, page, "ann").await;
        assert_eq!(browser.get(&callback).await.status, if tab == 0 { 400 } else { 303 });
    }
}
