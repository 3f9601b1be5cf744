//! Sessions that end while something is under way.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::http::Status;
use rocket_typed_sessions::SessionError;

use crate::app::*;
use crate::hook::*;

/// revoke_others after the response: TooLate before anything is written.
#[tokio::test]
async fn a_late_revoke_others_by_value_writes_nothing_if_its_own_token_cannot_go_out() {
    let app = app(figment()
        .merge(("sessions.user.storage", "client"))
        .merge(("sessions.user.revocation", "hook")))
    .await;
    let cookie = app.login("ann").await;
    let late = Arc::new(Mutex::new(None));
    let slot = late.clone();
    app.go(&cookie, async move |ctx| {
        *slot.lock() = Some((ctx.user, ctx.sessions));
        Status::Ok
    })
    .await;
    let (session, sessions) = late.lock().take().unwrap();
    let result = sessions.of::<User>().revoke_others(&session).await;
    assert!(matches!(result, Err(SessionError::TooLate)), "{result:?}");
    assert!(app.value(&cookie).await.is_some(), "the caller's own session was ended");
}

/// join!(save, revoke): the ended session's token is not sent.
#[tokio::test]
async fn a_session_that_this_request_revokes_during_its_own_save_sends_no_token() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            ctx.user.save().await.unwrap();
            ctx.user.renew();
            hook.after(
                Operation::Update,
                Act::Do(Box::pin(tokio::time::sleep(Duration::from_millis(50)))),
            );
            let (_, revoked) = tokio::join!(ctx.user.save(), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                ctx.sessions.of::<User>().revoke_owner("ann").await
            });
            assert_eq!(revoked.unwrap(), 1);
            if ctx.user.get().is_some() { Status::Conflict } else { Status::Ok }
        })
        .await;
    assert_eq!(app.hook.live().await, 0);
    assert_eq!(answer.cookies, Vec::<String>::new(), "the token of an ended session went out");
    assert_eq!(answer.status, Status::Ok, "the ended session is shown");
}
/// join!(refresh, revoke)
#[tokio::test]
async fn a_session_that_this_request_revokes_during_its_own_refresh_is_over() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            hook.after(
                Operation::Read,
                Act::Do(Box::pin(tokio::time::sleep(Duration::from_millis(50)))),
            );
            let (_, revoked) = tokio::join!(ctx.user.refresh(), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                ctx.sessions.of::<User>().revoke_owner("ann").await
            });
            assert_eq!(revoked.unwrap(), 1);
            if ctx.user.get().is_some() { Status::Conflict } else { Status::Ok }
        })
        .await;
    assert_eq!(answer.status, Status::Ok, "the ended session is shown");
    assert!(answer.removed());
}

/// A logout beside another session that cannot be saved.
async fn clear_beside(uri: &str, too_large: bool, user_in: &str) -> (bool, bool) {
    let figment = figment().merge(("sessions.user.storage", user_in));
    let figment =
        if too_large { figment.merge(("sessions.cart.storage", "client")) } else { figment };
    let app = app(figment).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .both(uri, &cookie, async move |both| {
            both.user.clear();
            both.cart.set(Cart { items: vec!["x".repeat(if too_large { 10_000 } else { 1 })] });
            if !too_large {
                hook.before(Operation::Create, Act::Fail);
            }
            Status::Ok
        })
        .await;
    assert!(answer.status.code >= 500);
    let ended = app.value(&cookie).await.is_none();
    (ended, answer.removed())
}
#[tokio::test]
async fn a_logout_holds_although_another_session_of_the_request_is_too_large() {
    assert_eq!(clear_beside("/both", true, "hook").await, (true, true));
}
#[tokio::test]
async fn a_logout_holds_although_another_session_of_the_request_fails_before_it() {
    assert_eq!(clear_beside("/both", false, "hook").await, (true, true), "the logout first");
    assert_eq!(clear_beside("/cartfirst", false, "hook").await, (true, true), "the other first");
}
#[tokio::test]
async fn a_client_logout_holds_although_another_session_of_the_request_fails_before_it() {
    assert!(clear_beside("/both", false, "client").await.1, "the logout first");
    assert!(clear_beside("/cartfirst", false, "client").await.1, "the other first");
}

/// What login_with made of a session that this request then revoked.
#[tokio::test]
async fn a_login_with_over_a_session_that_the_request_revokes_keeps_nothing_of_it() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    app.go(&cookie, async move |ctx| {
        ctx.user.update(|u| u.count = 5);
        Status::Ok
    })
    .await;
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.login_with(|former| User {
                id: "ann".into(),
                count: former.map_or(0, |u| u.count),
            });
            ctx.sessions.of::<User>().revoke_owner("ann").await.unwrap();
            Status::Ok
        })
        .await;
    assert_eq!(app.value(&answer.user()).await.map(|u| u.count), Some(0));
}
