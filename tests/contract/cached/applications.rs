//! Whole applications, each with a cache.

use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{SessionError, Sessions};

use crate::support::*;

#[get("/everywhere/<id>")]
async fn everywhere(sessions: &Sessions, id: &str) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_owner(id).await?.to_string())
}

async fn applications(far: &Faulty, ttl: &str) -> [Client; 2] {
    let open = async || {
        let figment = figment("far")
            .merge(("sessions.user.cache.ttl", ttl))
            .merge(("sessions.user.cache.capacity", 100));
        let fairing = Sessions::fairing().storage("far", far.clone());
        client_with(figment, fairing, routes![everywhere]).await
    };
    [open().await, open().await]
}

#[tokio::test]
async fn nobody_is_logged_out_because_another_node_has_given_them_a_new_id() {
    let far = faulty();
    let [here, there] = applications(&far, "1 hour").await;
    let anonymous = sent(&here.get("/set/guest").dispatch().await).expect("a token");
    assert_eq!(text(&here, "/get", &anonymous).await, "guest 0");
    assert_eq!(text(&there, "/get", &anonymous).await, "guest 0");
    // `renew` gives the same record a new id, which `there` has an old copy of.
    let renewed = sent(&with_cookie(&here, "/renew", &anonymous).await).expect("a new id");
    assert_ne!(renewed, anonymous);
    assert_eq!(text(&there, "/get", &renewed).await, "guest 0");
    let asked = far.calls(Operation::Read);
    assert_eq!(text(&there, "/get", &renewed).await, "guest 0");
    assert_eq!(far.calls(Operation::Read), asked, "the newer record is the copy now");
    assert_eq!(text(&there, "/get", &anonymous).await, "absent", "the old id is over");
}

#[tokio::test]
async fn an_application_with_a_cache_counts_right_on_every_node() {
    let far = faulty();
    let nodes = applications(&far, "1 hour").await;
    let token = logged_in(&nodes[0], "ann").await;
    for n in 0..20 {
        text(&nodes[n % 2], "/count", &token).await;
    }
    assert_eq!(text(&nodes[1], "/get", &token).await, "ann 20");
    // Where it is ended, it is ended at once.
    assert_eq!(text(&nodes[1], "/everywhere/ann", &token).await, "1");
    assert_eq!(text(&nodes[1], "/get", &token).await, "absent");
}

#[tokio::test]
async fn a_ttl_of_zero_caches_nothing() {
    let far = faulty();
    let [here, _] = applications(&far, "0").await;
    let token = logged_in(&here, "ann").await;
    let asked = far.calls(Operation::Read);
    for _ in 0..3 {
        assert_eq!(text(&here, "/get", &token).await, "ann 0");
    }
    assert_eq!(far.calls(Operation::Read), asked + 3);
}
