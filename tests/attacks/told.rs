//! What a request is told while a save is under way: ids, tokens, and when its user logged in.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::http::Status;
use rocket_typed_sessions::Lifetime;

use crate::app::*;
use crate::hook::*;

/// `set` of a value with an owner begins an authenticated session, wherever it is.
async fn authenticated_after_set(storage: &str) -> (bool, bool) {
    let app = app(figment().merge(("sessions.user.storage", storage))).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let slot = seen.clone();
    let cookie = app
        .go("", async move |ctx| {
            ctx.user.set(user("ann"));
            slot.lock().push(ctx.user.authenticated_at().is_some());
            Status::Ok
        })
        .await
        .user();
    let slot = seen.clone();
    app.go(&cookie, async move |ctx| {
        slot.lock().push(ctx.user.authenticated_at().is_some());
        Status::Ok
    })
    .await;
    let seen = seen.lock();
    (seen[0], seen[1])
}
#[tokio::test]
async fn a_session_that_begins_by_set_with_an_owner_is_authenticated_in_the_next_request_too() {
    assert_eq!(authenticated_after_set("hook").await, (true, true), "server");
    assert_eq!(authenticated_after_set("client").await, (true, true), "client");
}

/// id() while the login's save is under way is the committed id.
#[tokio::test]
async fn the_id_that_is_told_during_a_save_is_the_one_that_is_committed() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let (session, slot) = (ctx.user.clone(), Arc::new(Mutex::new(None)));
            let told = slot.clone();
            hook.before(Operation::Create, Act::Run(Box::new(move || *told.lock() = session.id())));
            ctx.user.save().await.unwrap();
            if *slot.lock() == ctx.user.id() { Status::Ok } else { Status::Conflict }
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
}
#[tokio::test]
async fn the_csrf_token_that_is_told_during_a_save_is_the_sessions() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let (session, slot) = (ctx.user.clone(), Arc::new(Mutex::new(String::new())));
            let told = slot.clone();
            hook.before(
                Operation::OwnerGeneration,
                Act::Run(Box::new(move || {
                    *told.lock() = session.csrf_token().unwrap().unwrap().to_string()
                })),
            );
            ctx.user.save().await.unwrap();
            let now = ctx.user.csrf_token().unwrap().unwrap();
            if now.verify(&slot.lock()).is_ok() { Status::Ok } else { Status::Conflict }
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
}

/// A lifetime, whose save fails, then a login meanwhile: it is the same request's.
#[tokio::test]
async fn a_login_during_a_failing_save_of_a_lifetime_has_it() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let (hook, said) = (app.hook.clone(), Arc::new(Mutex::new(None)));
    let slot = said.clone();
    app.go(&cookie, async move |ctx| {
        ctx.user.set_lifetime(Lifetime::Idle(Duration::from_secs(60))).unwrap();
        let session = ctx.user.clone();
        hook.before(Operation::Update, Act::Run(Box::new(move || session.login(user("ann")))));
        hook.after(Operation::Update, Act::Fail);
        let _ = ctx.user.save().await;
        let now = std::time::SystemTime::now();
        *slot.lock() = ctx.user.expires_at().map(|at| at.duration_since(now).unwrap());
        Status::Ok
    })
    .await;
    let said = said.lock().take().unwrap();
    assert!(said <= Duration::from_secs(66), "the login has the configured time: {said:?}");
}
