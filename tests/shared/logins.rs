//! Logins, renewals and lifetimes, from a session's beginning to its end. For any
//! storage: what the contract says of one, it says of all.

use std::time::Duration;

use rocket::http::Status;
use rocket_typed_sessions::storage::SessionStorage;

use self::login_app::{App, HOUR};

pub mod login_app;

/// So long a session that a login replaced says so.
const REPLACED: Duration = Duration::from_secs(120);
const GRACE: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);

fn a_moment_less(time: Duration) -> Duration {
    time.saturating_sub(MOMENT)
}

/// D15: nothing that was held before a login is worth anything after it, and nothing
/// from before ends it.
pub async fn a_login_begins_another_session(storage: impl SessionStorage + Clone) {
    let app = App::new(storage, &[]).await;
    for what in ["clear", "clear-and-begin", "count", "begin", "renew", "refresh", "touch"] {
        let visitor = app.visit().await;
        let (said, login) =
            app.late(what, &visitor.0, async || app.log_in("ann", &visitor).await).await;
        assert_ne!(login, visitor.0);
        let (said, cookie) = said;
        assert_eq!(cookie, None, "{what}: {said}");
        let ended = ["clear-and-begin", "count", "begin", "renew", "touch"].contains(&what);
        assert_eq!(said.contains("Ended"), ended, "{what}: {said}");
        assert_eq!(app.text("/do/nothing", &login).await, "ann 0", "{what}");
        // What the login left goes on saying so.
        assert_eq!(app.both("/do/begin", &visitor.0).await, ("ended".into(), None), "{what}");
        // Not even a late touch prolongs it.
        app.clock.advance(REPLACED);
        assert!(app.both("/do/begin", &visitor.0).await.1.is_some(), "{what}");
    }
    // By its id, too.
    let visitor = app.visit().await;
    let former = app.text("/id", &visitor.0).await;
    let login = app.log_in("ann", &visitor).await;
    assert_ne!(former, app.text("/id", &login).await);
    assert_eq!(app.text(&format!("/end/{former}"), "").await, "false");
    assert_eq!(app.text("/do/nothing", &login).await, "ann 0");
    assert_eq!(app.both("/do/begin", &visitor.0).await, ("ended".into(), None));
}

/// D23: what a login has replaced is nobody and begins nothing but a login, for two
/// minutes.
pub async fn what_a_login_replaced_overwrites_nothing(storage: impl SessionStorage + Clone) {
    let app = App::new(storage, &[]).await;
    let visitor = app.visit().await;
    let login = app.log_in("ann", &visitor).await;
    app.clock.advance(a_moment_less(REPLACED));
    for what in ["nothing", "count", "begin", "renew", "clear", "touch", "refresh", "remember"] {
        let shown = app.both(&format!("/do/{what}"), &visitor.0).await;
        assert_eq!(shown, ("ended".into(), None), "{what}");
    }
    let (form, cookie) = app.both("/page", &visitor.0).await;
    assert_eq!((form.is_empty(), cookie), (false, None), "the form of the second click");
    let (status, second) = app.post("ann", &visitor.0, &visitor.1).await;
    assert_eq!(status, Status::Ok, "a double click");
    let second = second.expect("a session of its own");
    let (status, third) = app.post("ann", &visitor.0, &form).await;
    assert_eq!((status, third.is_some()), (Status::Ok, true));
    for cookie in [&login, &second] {
        assert_eq!(app.text("/do/count", cookie).await, "ann 0");
        let beside = format!("{}; {cookie}", visitor.0);
        assert_eq!(app.text("/do/nothing", &beside).await, "ann 1", "beside a live one");
    }
    // A form from before the login is no form of the login's.
    let (status, _) = app.post("ann", &login, &visitor.1).await;
    assert_eq!(status, Status::Forbidden);
    app.clock.advance(MOMENT);
    let (shown, cookie) = app.both("/do/begin", &visitor.0).await;
    assert_eq!(shown, "ended");
    assert!(cookie.is_some(), "it begins a session, as anybody does");
}

/// D7, D23: a login takes the place of what it replaces, and a double click the place
/// of the first one.
pub async fn a_limit_locks_nobody_out(storage: impl SessionStorage + Clone) {
    for policy in ["refuse", "end-oldest"] {
        let lines = [("max_sessions_per_owner", "1"), ("owner_limit_policy", policy)];
        let app = App::new(storage.clone(), &lines).await;
        let owner = format!("carol of {policy}").replace([' ', '-'], "_");
        let visitor = app.visit().await;
        let mut last = app.log_in(&owner, &visitor).await;
        for _ in 0..4 {
            let click = app.log_in(&owner, &visitor).await;
            assert_eq!(app.both("/do/begin", &last).await, ("ended".into(), None), "{policy}");
            assert_eq!(app.text("/do/nothing", &click).await, format!("{owner} 0"), "{policy}");
            last = click;
        }
        // Over the session itself, with its own form.
        let form = app.text("/page", &last).await;
        last = app.log_in(&owner, &(last, form)).await;
        assert_eq!(app.text("/do/nothing", &last).await, format!("{owner} 0"), "{policy}");
        // Somebody else's visit is another session.
        let other = app.visit().await;
        let (status, _) = app.post(&owner, &other.0, &other.1).await;
        assert_eq!(status == Status::Ok, policy == "end-oldest");
        assert_eq!(app.text(&format!("/sessions/{owner}"), "").await, "1", "{policy}");
    }
}

/// D23: the same for a click that found the session from before the others, and somebody
/// else's login over that is none of them.
pub async fn a_late_click_comes_in_the_last_ones_place(storage: impl SessionStorage + Clone) {
    for policy in ["refuse", "end-oldest"] {
        let lines = [("max_sessions_per_owner", "1"), ("owner_limit_policy", policy)];
        let app = App::new(storage.clone(), &lines).await;
        // Whoever found the session from before the first click.
        let visitor = app.visit().await;
        let (late, _) = app
            .late("login", &visitor.0, async || {
                app.log_in("mallory", &visitor).await;
                app.log_in("mallory", &visitor).await
            })
            .await;
        assert_eq!(late.0, "None None", "{policy}");
        let late = late.1.expect("a session of its own");
        assert_eq!(app.text("/do/nothing", &late).await, "mallory 0", "{policy}");
        assert_eq!(app.text("/sessions/mallory", "").await, "1", "{policy}");
        // Somebody else's login over the same session takes nobody's place.
        let dave_name = format!("dave of {policy}").replace([' ', '-'], "_");
        let dave = app.log_in(&dave_name, &visitor).await;
        assert_eq!(app.text("/do/nothing", &dave).await, format!("{dave_name} 0"), "{policy}");
        assert_eq!(app.text("/do/nothing", &late).await, "mallory 0", "{policy}");
        assert_eq!(app.text("/end-all/mallory", "").await, "1", "{policy}");
    }
}

/// D7, D23: where the limit is reached, it comes in that one's place, too, and the owner's
/// other devices stay.
pub async fn a_late_click_ends_no_other_device(storage: impl SessionStorage + Clone) {
    let lines = [("max_sessions_per_owner", "2"), ("owner_limit_policy", "end-oldest")];
    let app = App::new(storage, &lines).await;
    let phone = app.log_in("mallory", &app.visit().await).await;
    app.clock.advance(MOMENT);
    let visitor = app.visit().await;
    let (late, _) =
        app.late("login", &visitor.0, async || app.log_in("mallory", &visitor).await).await;
    let late = late.1.expect("a session of its own");
    for cookie in [&phone, &late] {
        assert_eq!(app.text("/do/nothing", cookie).await, "mallory 0");
    }
    // A third device is one too many.
    app.log_in("mallory", &app.visit().await).await;
    assert_eq!(app.text("/do/nothing", &phone).await, "ended");
    assert_eq!(app.text("/do/nothing", &late).await, "mallory 0");
    assert_eq!(app.text("/end-all/mallory", "").await, "2");
}

/// D15, D23: somebody else, who planted the id, has logged in between two clicks. In whose
/// place a click comes is not for them to say.
pub async fn somebody_elses_login_between_two_clicks(storage: impl SessionStorage + Clone) {
    for policy in ["refuse", "end-oldest"] {
        let lines = [("max_sessions_per_owner", "1"), ("owner_limit_policy", policy)];
        let app = App::new(storage.clone(), &lines).await;
        let owners = ["gail", "hugo", "iris"].map(|name| format!("{name}_{}", &policy[..3]));
        let planted = app.visit().await;
        let mut last = [const { None }; 3];
        for click in 0..10 {
            for (owner, last) in owners.iter().zip(&mut last) {
                let (status, login) = app.post(owner, &planted.0, &planted.1).await;
                assert_eq!(status, Status::Ok, "{policy}: click {click} of {owner}");
                if let Some(before) = last.replace(login.expect("the login's cookie")) {
                    assert_eq!(app.both("/do/begin", &before).await, ("ended".into(), None));
                }
            }
        }
        for (owner, last) in owners.iter().zip(&last) {
            let last = last.as_deref().expect("a login");
            assert_eq!(app.text("/do/nothing", last).await, format!("{owner} 0"), "{policy}");
            assert_eq!(app.text(&format!("/end-all/{owner}"), "").await, "1", "{policy}");
        }
    }
}

/// The same whoever comes first, and if she logs in again in another tab, over the login's
/// session itself, before she sends the first form once more.
pub async fn a_click_with_the_first_form_comes_last(storage: impl SessionStorage + Clone) {
    let lines = [("max_sessions_per_owner", "1"), ("owner_limit_policy", "refuse")];
    let app = App::new(storage, &lines).await;
    for first in ["joan", "kurt"] {
        let planted = app.visit().await;
        for other in [first, "kurt", "lena"] {
            app.log_in(other, &planted).await;
            let login = app.log_in("joan", &planted).await;
            let form = app.text("/page", &login).await;
            let over = app.log_in("joan", &(login, form)).await;
            assert_eq!(app.text("/do/nothing", &over).await, "joan 0", "{first}, {other}");
        }
        let last = app.log_in("joan", &planted).await;
        assert_eq!(app.text("/do/nothing", &last).await, "joan 0");
        // Two minutes later the id is nobody's.
        app.clock.advance(REPLACED);
        let (form, cookie) = app.both("/page", &planted.0).await;
        let (status, _) = app.post("joan", &cookie.expect("another session"), &form).await;
        assert_ne!(status, Status::Ok, "as on any other device");
        for owner in ["joan", "kurt", "lena"] {
            assert_eq!(app.text(&format!("/end-all/{owner}"), "").await, "1", "{owner}");
        }
    }
}

/// D7, D23: nor do clicks beside somebody else's end any of the owner's other devices.
pub async fn clicks_beside_somebody_elses_end_no_device(storage: impl SessionStorage + Clone) {
    let lines = [("max_sessions_per_owner", "2"), ("owner_limit_policy", "end-oldest")];
    let app = App::new(storage, &lines).await;
    let phone = app.log_in("mona", &app.visit().await).await;
    app.clock.advance(MOMENT);
    let planted = app.visit().await;
    app.log_in("nils", &planted).await;
    let mut click = app.log_in("mona", &planted).await;
    for _ in 0..3 {
        let before = std::mem::replace(&mut click, app.log_in("mona", &planted).await);
        assert_eq!(app.both("/do/begin", &before).await, ("ended".into(), None));
        assert_eq!(app.text("/do/nothing", &phone).await, "mona 0");
        assert_eq!(app.text("/do/nothing", &click).await, "mona 0");
    }
    // Nor does a click that found the session from before all of them.
    let visitor = app.visit().await;
    let (late, _) = app
        .late("login", &visitor.0, async || {
            app.log_in("nils", &visitor).await;
            app.log_in("mallory", &visitor).await
        })
        .await;
    let late = late.1.expect("a session of its own");
    assert_eq!(app.text("/do/nothing", &late).await, "mallory 0");
    // A third device is one too many.
    app.log_in("mona", &app.visit().await).await;
    assert_eq!(app.text("/do/nothing", &phone).await, "ended");
    assert_eq!(app.text("/do/nothing", &click).await, "mona 0");
    for owner in ["mona", "nils", "mallory"] {
        app.text(&format!("/end-all/{owner}"), "").await;
    }
}

/// D22: nor is a client locked out that lost the answer to `renew`. Nobody holds an id of
/// its session any more, so its login takes that one's place.
pub async fn who_lost_the_answer_of_renew_logs_in_again(storage: impl SessionStorage + Clone) {
    for policy in ["refuse", "end-oldest"] {
        let lines = [("max_sessions_per_owner", "1"), ("owner_limit_policy", policy)];
        let app = App::new(storage.clone(), &lines).await;
        let owner = format!("erin of {policy}").replace([' ', '-'], "_");
        let cookie = app.log_in(&owner, &app.visit().await).await;
        let renewed = app.both("/do/renew", &cookie).await.1.expect("a new id");
        let form = app.text("/page", &cookie).await;
        // Somebody else's login takes nobody's place but that of the click before.
        for _ in 0..3 {
            app.log_in("frank", &(cookie.clone(), form.clone())).await;
            assert_eq!(app.text("/do/nothing", &renewed).await, format!("{owner} 0"), "{policy}");
        }
        let login = app.log_in(&owner, &(cookie, form)).await;
        assert_eq!(app.text("/do/nothing", &login).await, format!("{owner} 0"), "{policy}");
        assert_eq!(app.both("/do/begin", &renewed).await, ("ended".into(), None), "{policy}");
        assert_eq!(app.text("/end-all/frank", "").await, "1", "{policy}");
    }
}

/// D22: a client that loses the answer with its next id is not logged out.
pub async fn a_renewal_that_is_not_received_logs_nobody_out(storage: impl SessionStorage + Clone) {
    let lines = [("renew_after", "1 hour"), ("renewal_grace", "30 seconds")];
    let app = App::new(storage, &lines).await;
    let visitor = app.visit().await;
    let old = app.log_in("ann", &visitor).await;
    let form = app.text("/page", &old).await;
    app.clock.advance(HOUR);
    let (_, next) = app.both("/do/nothing", &old).await;
    let next = next.expect("the next id");
    for count in 0..3 {
        let (shown, again) = app.both("/do/count", &old).await;
        assert_eq!((shown, again.as_ref()), (format!("ann {count}"), Some(&next)));
        app.clock.advance(HOUR);
    }
    assert_eq!(app.both("/do/nothing", &next).await, ("ann 3".into(), None));
    app.clock.advance(a_moment_less(GRACE));
    assert_eq!(app.both("/do/count", &old).await, ("ann 3".into(), None));
    app.clock.advance(MOMENT);
    for what in ["nothing", "begin", "clear", "renew"] {
        assert_eq!(app.both(&format!("/do/{what}"), &old).await, ("ended".into(), None));
    }
    // Forms in other tabs stay good, also over `reauthenticate`, but not over `renew`.
    let (_, proven) = app.both("/do/reauthenticate", &next).await;
    let proven = proven.expect("a new id at once");
    assert_eq!(app.both("/do/nothing", &next).await, ("ended".into(), None));
    let (_, renewed) = app.both("/do/renew", &proven).await;
    let renewed = renewed.expect("a new id at once");
    assert_eq!(app.post("ann", &renewed, &form).await.0, Status::Forbidden);
    // Who still holds the id before gets a login form that holds for that id.
    let (form, cookie) = app.both("/page", &proven).await;
    assert_eq!((form.is_empty(), cookie), (false, None));
    assert_eq!(app.post("ann", &renewed, &form).await.0, Status::Forbidden);
    assert!(app.post("ann", &proven, &form).await.1.is_some());
    let fresh = app.text("/page", &renewed).await;
    assert_eq!(app.post("ann", &renewed, &fresh).await.0, Status::Ok);
}

/// D22: it is still the session that the client holds. A request that had found it ends it,
/// and a login replaces it, whatever the request knows of the other id.
pub async fn a_session_that_was_renewed_meanwhile_is_the_same(
    storage: impl SessionStorage + Clone,
) {
    let app = App::new(storage, &[]).await;
    for what in ["clear", "refresh-and-clear", "login", "refresh-and-login"] {
        for how in ["renew", "reauthenticate"] {
            let cookie = app.log_in("ann", &app.visit().await).await;
            let renew = async || app.both(&format!("/do/{how}"), &cookie).await.1;
            let ((said, sent), renewed) = app.late(what, &cookie, renew).await;
            assert_eq!(said, "None None", "{what} {how}");
            let renewed = renewed.expect("a new id");
            assert_eq!(app.text("/do/nothing", &renewed).await, "ended", "{what} {how}");
            let sent = sent.expect("a removal, or the login's token");
            let reads = if what.ends_with("login") { "mallory 0" } else { "absent" };
            assert_eq!(app.text("/do/nothing", &sent).await, reads, "{what} {how}");
        }
    }
}

/// D9, D16: a lifetime of the session's own, and who prolongs it.
pub async fn a_session_lives_as_long_as_it_says(storage: impl SessionStorage + Clone) {
    let app = App::new(storage, &[]).await;
    let visitor = app.visit().await;
    let cookie = app.log_in("ann", &visitor).await;
    let lives = async || app.text("/do/poll", &cookie).await == "ann 0";
    // Two hours since the last use, and at most ten minutes more.
    for _ in 0..3 {
        app.clock.advance(a_moment_less(2 * HOUR));
        assert_eq!(app.text("/do/touch", &cookie).await, "ann 0");
    }
    app.clock.advance(a_moment_less(2 * HOUR));
    assert!(lives().await, "polling is no use");
    app.clock.advance(HOUR / 6 + MOMENT);
    assert!(!lives().await);

    let cookie = app.log_in("ann", &app.visit().await).await;
    let lives = async || app.text("/do/poll", &cookie).await == "ann 0";
    assert_eq!(app.text("/do/remember", &cookie).await, "ann 0");
    app.clock.advance(29 * 24 * HOUR);
    assert!(lives().await, "the box is ticked");
    assert_eq!(app.text("/do/forget", &cookie).await, "ann 0");
    app.clock.advance(a_moment_less(2 * HOUR));
    assert!(lives().await);
    app.clock.advance(HOUR);
    assert!(!lives().await, "it is unticked again");
}

/// Everything above.
pub async fn from_login_to_end(storage: impl SessionStorage + Clone) {
    a_login_begins_another_session(storage.clone()).await;
    what_a_login_replaced_overwrites_nothing(storage.clone()).await;
    a_limit_locks_nobody_out(storage.clone()).await;
    a_late_click_comes_in_the_last_ones_place(storage.clone()).await;
    a_late_click_ends_no_other_device(storage.clone()).await;
    somebody_elses_login_between_two_clicks(storage.clone()).await;
    a_click_with_the_first_form_comes_last(storage.clone()).await;
    clicks_beside_somebody_elses_end_no_device(storage.clone()).await;
    who_lost_the_answer_of_renew_logs_in_again(storage.clone()).await;
    a_renewal_that_is_not_received_logs_nobody_out(storage.clone()).await;
    a_session_that_was_renewed_meanwhile_is_the_same(storage.clone()).await;
    a_session_lives_as_long_as_it_says(storage).await;
}
