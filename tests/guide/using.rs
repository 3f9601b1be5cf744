//! `docs/using.md`: what each call does without a session, and what a 5xx and a panic leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rocket::http::Status;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::support::*;

/// What a handler does with a session, and what it answers.
#[get("/<what>")]
async fn act(session: Session<User>, what: &str) -> Result<(Status, String), SessionError> {
    let seen = match what {
        "get" => format!("{:?}", session.get().map(|user| user.count)),
        "insert" => format!("{}", session.get_or_insert_with(|| user("ann")).count),
        "set" => format!("{:?}", session.set(user("ann"))),
        "update" => format!("{:?}", session.update(|user| user.count += 1).is_some()),
        "update_now" => format!("{:?}", session.update_now(|user| user.count += 1).await?),
        "login" => format!("{:?}", session.login(user("ann"))),
        "login_with" => format!("{}", session.login_with(|_| user("ann")).count),
        "clear" => format!("{:?}", session.clear()),
        "save" => format!("{:?}", session.save().await?),
        "discard" => {
            session.update(|user| user.count += 1);
            format!("{:?}", session.discard())
        }
        "refresh" => format!("{:?}", session.refresh().await?.map(|user| user.count)),
        "renew" => format!("{:?}", session.renew()),
        "touch" => format!("{:?}", session.touch()),
        "skip_touch" => format!("{:?}", session.skip_touch()),
        "id" => format!("{}", session.id().is_some()),
        "handle" => format!("{}", session.handle().is_some()),
        _ => return fail(&session, what).await,
    };
    Ok((Status::Ok, seen))
}

/// The handlers that do not end well.
async fn fail(session: &Session<User>, what: &str) -> Result<(Status, String), SessionError> {
    session.update(|user| user.count += 1);
    match what {
        "saved_500" => session.save().await?,
        "clear_500" => session.clear(),
        "400" => return Ok((Status::BadRequest, String::new())),
        "panic" => panic!("on purpose"),
        _ => {}
    }
    Ok((Status::InternalServerError, String::new()))
}

/// What the calls answer without a session, and whether one has begun.
async fn without_a_session(place: &str, call: &str) -> (String, bool) {
    let client = client(figment(place), Sessions::fairing(), routes![act]).await;
    let response = client.get(format!("/{call}")).dispatch().await;
    let token = sent(&response);
    (response.into_string().await.unwrap_or_default(), token.is_some())
}

#[tokio::test]
async fn without_a_session_a_call_begins_one_or_does_nothing() {
    let expected = [
        ("get", "None", false),
        ("insert", "0", true),
        ("set", "()", true),
        ("update", "false", false),
        ("update_now", "None", false),
        ("login", "()", true),
        ("login_with", "0", true),
        ("clear", "()", false),
        ("save", "()", false),
        ("discard", "()", false),
        ("refresh", "None", false),
        ("renew", "()", false),
        ("touch", "()", false),
        ("skip_touch", "()", false),
        ("id", "false", false),
        ("handle", "false", false),
    ];
    for place in ["memory", "client"] {
        for (call, answer, begins) in expected {
            let seen = without_a_session(place, call).await;
            assert_eq!(seen, (answer.to_owned(), begins), "{call} on {place}");
        }
    }
}

/// The count of a session after a request, or `None` without a session.
async fn count_after(place: &str, calls: &[&str]) -> String {
    let client = client(figment(place), Sessions::fairing(), routes![act]).await;
    let mut cookie = sent(&with_cookie(&client, "/login", "").await).expect("a token");
    for call in calls {
        cookie = sent(&with_cookie(&client, &format!("/{call}"), &cookie).await).unwrap_or(cookie);
    }
    with_cookie(&client, "/get", &cookie).await.into_string().await.unwrap_or_default()
}

#[tokio::test]
async fn a_5xx_and_a_panic_drop_what_is_not_saved() {
    for place in ["memory", "client"] {
        let cases = [
            ("update", "Some(1)"),
            ("discard", "Some(0)"),
            ("400", "Some(1)"),
            ("500", "Some(0)"),
            ("panic", "Some(0)"),
            ("saved_500", "Some(1)"),
        ];
        for (call, count) in cases {
            assert_eq!(count_after(place, &[call]).await, count, "{call} on {place}");
        }
    }
    assert_eq!(count_after("memory", &["clear_500"]).await, "None");
}

#[get("/twice")]
async fn twice(one: Session<User>, other: Session<User>) -> Result<String, SessionError> {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    one.update(move |user| {
        counted.fetch_add(1, Ordering::SeqCst);
        user.count += 1;
    });
    other.update(|user| user.count += 10);
    one.save().await?;
    Ok(format!("{:?} {}", other.get().map(|user| user.count), runs.load(Ordering::SeqCst)))
}

#[tokio::test]
async fn several_guards_of_one_type_are_one_session() {
    let client = client(figment("memory"), Sessions::fairing(), routes![act, twice]).await;
    let cookie = sent(&with_cookie(&client, "/login", "").await).expect("a token");
    let seen = with_cookie(&client, "/twice", &cookie).await.into_string().await;
    assert_eq!(seen.as_deref(), Some("Some(11) 1"));
}
