//! Touches and times that meet a storage which fails.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::figment::Figment;
use rocket::http::Status;

use crate::app::*;
use crate::hook::*;

/// A touch that failed is not tried again by the same request.
#[tokio::test]
async fn a_failing_touch_is_tried_once_a_request() {
    let app = app(figment().merge(("sessions.user.touch_after", "1 minute"))).await;
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let hook = app.hook.clone();
    app.go(&cookie, async move |_| {
        for _ in 0..4 {
            hook.before(Operation::Touch, Act::Fail);
        }
        Status::Ok
    })
    .await;
    assert_eq!(app.hook.calls(Operation::Touch), 1);
    assert_eq!(app.hook.disarm(), 3);
}
/// ... and a hanging one costs one timeout.
async fn hanging_touch_costs_one_timeout(figment: Figment, operation: Operation) {
    let app = app(figment
        .merge(("sessions.user.touch_after", "1 minute"))
        .merge(("sessions.user.storage_timeout", "1 second")))
    .await;
    let cookie = app.login("ann").await;
    app.clock.advance(Duration::from_secs(3600));
    let hook = app.hook.clone();
    let started = std::time::Instant::now();
    app.go(&cookie, async move |_| {
        for _ in 0..4 {
            hook.before(operation, Act::Hang);
        }
        Status::Ok
    })
    .await;
    let elapsed = started.elapsed().as_millis();
    assert!((1000..1500).contains(&elapsed), "{operation:?}: {elapsed} ms");
    assert_eq!(app.hook.disarm(), 3, "{operation:?}");
}
#[tokio::test]
async fn a_hanging_touch_costs_one_timeout() {
    hanging_touch_costs_one_timeout(figment(), Operation::Touch).await;
    // The cookie is sent again: that is a write.
    let figment = figment().merge(("sessions.user.cookie.max_age", "10 days"));
    hanging_touch_costs_one_timeout(figment, Operation::Update).await;
}

/// refresh() of a session by value notices that its time is over, as by id.
async fn refresh_after_expiry(storage: &str) -> (bool, bool) {
    let app = app(figment().merge(("sessions.user.storage", storage))).await;
    let cookie = app.login("ann").await;
    let kept = Arc::new(Mutex::new(None));
    let slot = kept.clone();
    app.go(&cookie, async move |ctx| {
        *slot.lock() = Some(ctx.user);
        Status::Ok
    })
    .await;
    let session = kept.lock().take().unwrap();
    app.clock.advance(Duration::from_secs(400 * 86_400));
    (session.refresh().await.unwrap().is_none(), app.value(&cookie).await.is_none())
}
#[tokio::test]
async fn a_refresh_notices_that_the_sessions_time_is_over() {
    assert_eq!(refresh_after_expiry("hook").await, (true, true), "server");
    assert_eq!(refresh_after_expiry("client").await, (true, true), "client");
}
