//! Which token goes out, and which does not.

use std::sync::Arc;
use std::time::Duration;

use rocket::http::Status;

use crate::app::*;
use crate::hook::*;

/// The touch finds that the session has ended: nothing goes out.
#[tokio::test]
async fn a_touch_of_a_session_that_has_ended_meanwhile_sends_no_token() {
    let app = app(figment()
        .merge(("sessions.user.cookie.max_age", "10 days"))
        .merge(("sessions.user.touch_after", "1 minute")))
    .await;
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |_| {
            hook.end_first().await;
            Status::Ok
        })
        .await;
    assert_eq!(answer.cookies, Vec::<String>::new(), "a token of an ended session was sent");
}
/// The same with a renewal by another request: the old id must not overwrite the new one.
#[tokio::test]
async fn a_touch_beside_another_requests_renewal_does_not_send_the_old_id() {
    let app = Arc::new(
        app(figment()
            .merge(("sessions.user.cookie.max_age", "10 days"))
            .merge(("sessions.user.touch_after", "1 minute")))
        .await,
    );
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let (slow, slow_cookie) = (app.clone(), cookie.clone());
    let (loaded, go) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (l, g) = (loaded.clone(), go.clone());
    app.set_job(async move |_| {
        l.notify_one();
        g.notified().await;
        Status::Ok
    });
    let late = rocket::tokio::spawn(async move { slow.ask("/go", &slow_cookie).await });
    loaded.notified().await;
    let renewed = app
        .go(&cookie, async move |ctx| {
            ctx.user.renew();
            Status::Ok
        })
        .await
        .user();
    assert_ne!(renewed, cookie);
    go.notify_one();
    let late = late.await.unwrap();
    // the browser holds what came last
    let holds = late.token("user").unwrap_or(renewed);
    assert!(app.value(&holds).await.is_some(), "the late answer logged the user out");
}
/// The same for a key that is rotated: no storage is asked at all.
#[tokio::test]
async fn a_resealed_token_of_a_session_that_has_ended_meanwhile_is_not_sent() {
    let old = app(figment()).await;
    let cookie = old.login("ann").await;
    let hook = old.hook.clone();
    let rotated = figment().merge(("sessions.secret", vec![OTHER_KEY, KEY]));
    let app = app_on(hook.clone(), rotated, |rocket| rocket).await;
    let answer = app
        .go(&cookie, async move |ctx| {
            assert!(ctx.user.get().is_some());
            hook.end_first().await;
            Status::Ok
        })
        .await;
    assert_eq!(answer.cookies, Vec::<String>::new(), "a token of an ended session was sent");
}

/// A renewed id that the first turn sent survives a failure in the last turn.
#[tokio::test]
async fn a_renewed_id_goes_out_although_a_session_of_a_fairing_behind_fails() {
    let app = app_with(figment(), behind).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.renew();
            hook.before(Operation::Create, Act::Fail); // the cart's
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::ServiceUnavailable);
    let holds = answer.token("user").unwrap_or(cookie);
    assert!(
        app.value(&holds).await.is_some(),
        "old and new id are both lost: {:?}",
        answer.cookies
    );
}
/// A removal that the first turn sent survives it, too.
#[tokio::test]
async fn a_removal_goes_out_although_a_session_of_a_fairing_behind_fails() {
    let app = app_with(figment().merge(("sessions.user.storage", "client")), behind).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.clear();
            hook.before(Operation::Create, Act::Fail); // the cart's
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::ServiceUnavailable);
    assert!(answer.removed(), "the logout is lost, and the token lives: {:?}", answer.headers);
}

/// Stress: save() is Ok only if its token goes out.
#[tokio::test]
async fn a_renewal_that_a_task_saved_with_ok_always_reaches_the_client() {
    let app = app(figment()).await;
    let mut cookie = app.login("ann").await;
    let (mut lost, mut reached, mut too_late) = (0, 0, 0);
    for turn in 0..6000u32 {
        let (send, receive) = std::sync::mpsc::channel();
        let answer = app
            .go(&cookie, async move |ctx| {
                let session = ctx.user;
                let handle = tokio::runtime::Handle::current();
                let barrier = Arc::new(std::sync::Barrier::new(2));
                let other = barrier.clone();
                std::thread::spawn(move || {
                    other.wait();
                    for _ in 0..(turn % 200) * 40 {
                        std::hint::black_box(0);
                    }
                    session.renew();
                    let saved = handle.block_on(session.save());
                    let id = session.id();
                    if saved.is_err() {
                        session.discard();
                    }
                    let _ = send.send((saved, id));
                });
                barrier.wait();
                Status::Ok
            })
            .await;
        let (saved, _) = receive.recv().unwrap();
        *if saved.is_ok() { &mut reached } else { &mut too_late } += 1;
        match answer.token("user") {
            Some(token) => cookie = token,
            None if saved.is_ok() => {
                lost += 1;
                cookie = app.login("ann").await;
            }
            None => {}
        }
    }
    assert_eq!(lost, 0, "save() said Ok and the token never went out");
    assert!(reached > 0 && too_late > 0, "{reached} in time, {too_late} too late");
}
