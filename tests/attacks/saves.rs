//! Saves that meet other threads, hang, are dropped, or are discarded.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocket::futures::future::BoxFuture;
use rocket::http::Status;
use rocket_typed_sessions::SessionError;
use rocket_typed_sessions::storage::{Record, SessionStorage, Timestamp, Version};

use crate::app::*;
use crate::hook::*;

/// A later change of another thread must not be committed twice.
#[tokio::test]
async fn updates_beside_saves_of_other_threads_count_once() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    const N: u32 = 40_000;
    let answer = app
        .go(&cookie, async move |ctx| {
            let other = ctx.user.clone();
            let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let flag = done.clone();
            let thread = std::thread::spawn(move || {
                for i in 0..N {
                    other.update(|u| u.count += 1);
                    if i % 16 == 0 {
                        std::thread::yield_now();
                    }
                }
                flag.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                ctx.user.save().await.unwrap();
            }
            thread.join().unwrap();
            Status::Ok
        })
        .await;
    assert_eq!(answer.status, Status::Ok);
    assert_eq!(app.value(&cookie).await.unwrap().count, N);
}

/// `clear(); set(); save()` fails after the end; `discard()` must not show the ended session.
#[tokio::test]
async fn a_session_that_a_failed_save_has_ended_does_not_come_back_by_discard() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let answer = app
        .go(&cookie, async move |ctx| {
            ctx.user.clear();
            ctx.user.set(user("bob"));
            hook.before(Operation::Create, Act::Fail);
            assert!(ctx.user.save().await.is_err());
            assert_eq!(hook.live().await, 0, "ann's session has ended");
            ctx.user.discard();
            let shown = ctx.user.get();
            // what an unsuspecting application does next
            ctx.user.update(|u| u.count += 1);
            if shown.is_some() { Status::Conflict } else { Status::Ok }
        })
        .await;
    assert_eq!(
        app.hook.live().await,
        0,
        "the ended session came back as a new record; {:?}",
        answer.cookies
    );
    assert_eq!(answer.status, Status::Ok, "the value of the ended session was shown");
}

/// A hung save that is not polled any more must not hang the response.
#[tokio::test]
async fn a_save_that_nobody_polls_any_more_does_not_hang_the_response() {
    let app = app(figment().merge(("sessions.user.storage_timeout", "1 second"))).await;
    let cookie = app.login("ann").await;
    let kept = Arc::new(Mutex::new(None));
    let (slot, hook) = (kept.clone(), app.hook.clone());
    app.set_job(async move |ctx| {
        ctx.user.update(|u| u.count += 1);
        hook.before(Operation::Update, Act::Hang);
        let session = ctx.user.clone();
        let mut save: BoxFuture<'static, Result<(), SessionError>> =
            Box::pin(async move { session.save().await });
        let _ = tokio::time::timeout(Duration::from_millis(20), &mut save).await;
        *slot.lock() = Some(save); // to be awaited in the response's stream, for example
        Status::Ok
    });
    let answer = tokio::time::timeout(Duration::from_secs(5), app.ask("/go", &cookie)).await;
    assert!(answer.is_ok(), "the response never comes");
}

/// `select!` on `&mut save`, then another call of the same handler.
#[tokio::test]
async fn a_refresh_beside_an_unfinished_save_ends_within_the_timeout() {
    let app = app(figment().merge(("sessions.user.storage_timeout", "1 second"))).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    app.set_job(async move |ctx| {
        ctx.user.update(|u| u.count += 1);
        hook.before(Operation::Update, Act::Hang);
        let mut save = std::pin::pin!(ctx.user.save());
        tokio::select! {
            _ = &mut save => {}
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        let _ = ctx.user.refresh().await;
        Status::Ok
    });
    let answer = tokio::time::timeout(Duration::from_secs(5), app.ask("/go", &cookie)).await;
    assert!(answer.is_ok(), "the response never comes");
}

/// A login's changes dropped by a discard or a 5xx before anything is written.
#[tokio::test]
async fn a_login_that_was_discarded_before_its_record_was_written_leaves_none() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let session = ctx.user.clone();
            hook.after(Operation::OwnerGeneration, Act::Run(Box::new(move || session.discard())));
            let _ = ctx.user.save().await;
            Status::Ok
        })
        .await;
    assert_eq!((app.hook.live().await, answer.cookies), (0, vec![]));
}
#[tokio::test]
async fn a_tasks_login_whose_request_failed_before_its_record_was_written_leaves_none() {
    let app = app(figment()).await;
    let hook = app.hook.clone();
    let answer = app
        .go("", async move |ctx| {
            ctx.user.login(user("ann"));
            let session = ctx.user.clone();
            hook.before(
                Operation::OwnerGeneration,
                Act::Do(Box::pin(tokio::time::sleep(Duration::from_millis(100)))),
            );
            rocket::tokio::spawn(async move {
                let _ = session.save().await;
            });
            rocket::tokio::time::sleep(Duration::from_millis(20)).await;
            Status::InternalServerError
        })
        .await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!((app.hook.live().await, answer.cookies), (0, vec![]));
}

/// update_now says what was committed.
#[tokio::test]
async fn update_now_whose_change_was_discarded_does_not_say_that_it_counted() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    let said = Arc::new(Mutex::new(None));
    let slot = said.clone();
    app.go(&cookie, async move |ctx| {
        // another request writes meanwhile: a conflict, and then a discard
        let key = hook.created()[0].clone();
        let (memory, session) = (hook.memory.clone(), ctx.user.clone());
        hook.before(
            Operation::Update,
            Act::Do(Box::pin(async move {
                let now = Timestamp::from(std::time::SystemTime::now());
                let stored = memory.read(&key, now).await.unwrap().unwrap();
                let next = Record {
                    version: Version::from_u64(!stored.version.as_u64()),
                    ..stored.clone()
                };
                memory.update(&key, stored.version, next, now).await.unwrap();
                session.discard();
            })),
        );
        *slot.lock() = Some(
            ctx.user
                .update_now(|u| {
                    u.count += 1;
                    u.count
                })
                .await
                .map_err(|e| e.to_string()),
        );
        Status::Ok
    })
    .await;
    let count = app.value(&cookie).await.unwrap().count;
    assert_eq!(count, 0);
    let said = said.lock().take().unwrap();
    assert!(!matches!(said, Ok(Some(1))), "said {said:?}, committed {count}");
}

/// Every entry is freed, and routes without sessions cost nothing again.
#[tokio::test]
async fn everything_is_freed_after_a_request() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let probe = Arc::new(());
    for status in [Status::Ok, Status::InternalServerError, Status::NotFound] {
        let held = probe.clone();
        app.go(&cookie, async move |ctx| {
            let own = ctx.user.clone();
            ctx.user.update(move |u| {
                let _ = (&held, own.get());
                u.count += 1
            });
            status
        })
        .await;
        assert_eq!(Arc::strong_count(&probe), 1, "{status}");
    }
}

/// An unfinished save that somebody keeps must not stop the session's other requests.
#[tokio::test]
async fn a_save_that_nobody_polls_any_more_does_not_stop_other_requests() {
    let app = app(figment().merge(("sessions.user.storage_timeout", "1 second"))).await;
    let cookie = app.login("ann").await;
    let kept = Arc::new(Mutex::new(None));
    let (slot, hook, ended) =
        (kept.clone(), app.hook.clone(), Arc::new(tokio::sync::Notify::new()));
    let job = async move |ctx: Ctx| {
        ctx.user.update(|u| u.count += 1);
        hook.before(Operation::Update, Act::Hang);
        let session = ctx.user.clone();
        let mut save: BoxFuture<'static, Result<(), SessionError>> =
            Box::pin(async move { session.save().await });
        let _ = tokio::time::timeout(Duration::from_millis(20), &mut save).await;
        *slot.lock() = Some(save);
        ended.notified().await;
        Status::Ok
    };
    app.set_job(job);
    let _ = tokio::time::timeout(Duration::from_millis(200), app.ask("/go", &cookie)).await;
    tokio::time::sleep(Duration::from_secs(3)).await; // much longer than the storage may take
    let other = app
        .go(&cookie, async move |ctx| {
            ctx.user.update(|u| u.count += 1);
            Status::Ok
        })
        .await;
    assert_eq!(other.status, Status::Ok, "every write of this session is 503");
}

/// Dropped saves at every await point of a count: never more than the tries, and one session.
#[tokio::test]
async fn a_dropped_save_before_its_write_counts_once() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let hook = app.hook.clone();
    app.go(&cookie, async move |ctx| {
        for _ in 0..5 {
            ctx.user.update(|u| u.count += 1);
            hook.before(Operation::Update, Act::Hang);
            let _ = tokio::time::timeout(Duration::from_millis(5), ctx.user.save()).await;
        }
        Status::Ok
    })
    .await;
    assert_eq!(app.value(&cookie).await.unwrap().count, 5);
}

/// Two saves of one request, of which the first hangs: the second fails at its own deadline, not later.
#[tokio::test]
async fn concurrent_update_nows_of_one_request_count_once_each() {
    let app = app(figment()).await;
    let cookie = app.login("ann").await;
    let answer = app
        .go(&cookie, async move |ctx| {
            let mut all = Vec::new();
            for _ in 0..20 {
                let session = ctx.user.clone();
                all.push(rocket::tokio::spawn(async move {
                    session
                        .update_now(|u| {
                            u.count += 1;
                            u.count
                        })
                        .await
                        .unwrap()
                        .unwrap()
                }));
            }
            let mut got = Vec::new();
            for one in all {
                got.push(one.await.unwrap());
            }
            got.sort_unstable();
            if got == (1..=20).collect::<Vec<_>>() { Status::Ok } else { Status::Conflict }
        })
        .await;
    assert_eq!((answer.status, app.value(&cookie).await.unwrap().count), (Status::Ok, 20));
}
