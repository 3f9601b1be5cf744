//! A login form that survives a double click: 0 to 50 ms apart, and whichever answer arrives last.

use std::time::Duration;

use rocket_typed_sessions::Sessions;
use rocket_typed_sessions::storage::Memory;
use rocket_typed_sessions::testing::storage::{Fault, Faulty, Operation};

use crate::recipes;
use crate::recipes::users::Users;
use crate::server::{Answer, Browser, Server, figment, serve, start};

const LOGIN: &str = "/double-click/login";
const HOME: &str = "/double-click";

/// The form as a user fills it in.
async fn filled_in(browser: &mut Browser) -> String {
    let page = browser.get(LOGIN).await;
    format!("name=ann&password=swordfish&csrf_token={}", page.field("csrf_token"))
}

/// Two clicks of one browser, before either is answered.
async fn clicks(browser: &Browser, form: &str, apart: Duration) -> [Answer; 2] {
    let second = async {
        tokio::time::sleep(apart).await;
        browser.send_form(LOGIN, form).await
    };
    let (first, second) = tokio::join!(browser.send_form(LOGIN, form), second);
    [first, second]
}

/// What the browser sees once both answers have arrived, in this order.
async fn after(browser: &Browser, answers: [&Answer; 2]) -> Answer {
    let mut browser = browser.clone();
    for answer in answers {
        browser.keep(answer);
    }
    browser.get(HOME).await
}

#[tokio::test]
async fn both_clicks_log_in_and_the_last_answer_counts() {
    let (server, _) = start::<Users>().await;
    for milliseconds in [0, 1, 2, 5, 10, 20, 35, 50] {
        for _ in 0..3 {
            let mut browser = server.browser();
            let form = filled_in(&mut browser).await;
            let apart = Duration::from_millis(milliseconds);
            let [first, second] = clicks(&browser, &form, apart).await;
            for answer in [&first, &second] {
                assert_eq!((answer.status, answer.location().as_str()), (303, HOME));
                assert_eq!(answer.headers("Set-Cookie").count(), 1);
            }
            for answers in [[&first, &second], [&second, &first]] {
                let page = after(&browser, answers).await;
                assert_eq!(page.body, "Hello, ann!\n", "{milliseconds} ms apart");
            }
        }
    }
}

#[tokio::test]
async fn a_first_click_that_is_overtaken_logs_in_as_well() {
    let storage = Faulty::new(Memory::new(100));
    let sessions = Sessions::fairing().storage("faulty", storage.clone());
    let figment = figment().merge(("sessions.customer.storage", "faulty"));
    let (server, _) = serve::<Users>(recipes::build(figment, sessions)).await;
    let mut browser = server.browser();
    let form = filled_in(&mut browser).await;
    // The first one has found its session, and is slow to begin another.
    storage.set(Operation::Create, Fault::Slow(Duration::from_millis(300)));
    let slow = tokio::spawn({
        let (browser, form) = (browser.clone(), form.clone());
        async move { browser.send_form(LOGIN, &form).await }
    });
    while storage.calls(Operation::Create) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    storage.mend();
    let fast = browser.send_form(LOGIN, &form).await;
    assert!(!slow.is_finished(), "the second click is answered first");
    let slow = slow.await.expect("no panic");
    for answers in [[&fast, &slow], [&slow, &fast]] {
        assert_eq!(after(&browser, answers).await.body, "Hello, ann!\n");
    }
}

#[tokio::test]
async fn a_second_click_with_the_logins_cookie_is_sent_on() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    let form = filled_in(&mut browser).await;
    assert_eq!(browser.post(LOGIN, &form).await.location(), HOME);
    let second = browser.post(LOGIN, &form).await;
    assert_eq!((second.status, second.location().as_str()), (303, HOME));
    assert_eq!(second.header("Set-Cookie"), None);
    assert_eq!(browser.get(HOME).await.body, "Hello, ann!\n");
}

#[tokio::test]
async fn forms_without_their_token_log_nobody_in() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    let mine = filled_in(&mut browser).await;
    let others = filled_in(&mut server.browser()).await;
    let forged = "name=mallory&password=swordfish&csrf_token=forged";
    for form in ["name=mallory&password=swordfish", forged, &others] {
        let answer = browser.post(LOGIN, form).await;
        assert_eq!((answer.status, answer.header("Set-Cookie")), (403, None), "{form}");
        assert!(answer.body.contains(LOGIN), "{}", answer.body);
        assert_eq!(browser.get(HOME).await.status, 401, "{form}");
    }
    // Without cookies, too, and no cookie comes of it that could replace a login's.
    let answer = server.browser().post(LOGIN, &mine).await;
    assert_eq!((answer.status, answer.header("Set-Cookie")), (403, None));
    assert_eq!(browser.post(LOGIN, &mine).await.location(), HOME);
}

#[tokio::test]
async fn a_wrong_password_shows_the_form_again_and_it_works() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    let form = filled_in(&mut browser).await;
    let again = browser.post(LOGIN, &form.replace("swordfish", "cod")).await;
    assert_eq!(again.status, 401);
    let form = format!("name=ann&password=swordfish&csrf_token={}", again.field("csrf_token"));
    assert_eq!(browser.post(LOGIN, &form).await.location(), HOME);
    assert_eq!(browser.get(HOME).await.body, "Hello, ann!\n");
}

async fn limited() -> Server {
    let figment = figment().merge(("sessions.customer.max_sessions_per_owner", 5));
    serve::<Users>(recipes::build(figment, Sessions::fairing())).await.0
}

/// Why the recipe has no limit.
#[tokio::test]
async fn under_a_limit_only_the_last_clicks_session_lives() {
    let server = limited().await;
    let mut browser = server.browser();
    let form = filled_in(&mut browser).await;
    let first = browser.send_form(LOGIN, &form).await;
    let second = browser.send_form(LOGIN, &form).await;
    assert_eq!(after(&browser, [&first, &second]).await.body, "Hello, ann!\n");
    assert_eq!(after(&browser, [&second, &first]).await.status, 401);
}
