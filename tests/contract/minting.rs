//! Requests that a test gives a session to, and what it finds in responses.

use std::borrow::Cow;

use rocket::figment::Figment;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{Request, Response, get, routes};
use rocket_typed_sessions::testing::{AsyncSessionResponse, SessionRequest, SessionResponse};
use rocket_typed_sessions::transport::{Outgoing, SessionTransport};
use rocket_typed_sessions::{Authenticated, Sessions};

use crate::concurrency::storages;
use crate::support::*;

struct Bearer;

impl SessionTransport for Bearer {
    fn receive<'r>(&self, request: &'r Request<'_>, _: &str) -> Vec<Cow<'r, str>> {
        let values = request.headers().get("Authorization");
        values.filter_map(|value| value.strip_prefix("Bearer ")).map(Cow::Borrowed).collect()
    }

    fn send(&self, response: &mut Response<'_>, _: &str, outgoing: Outgoing<'_>) {
        response.set_raw_header("X-Answer", format!("token \"{}\"", outgoing.token));
    }

    fn clear(&self, _: &mut Response<'_>, _: &str) {}

    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }
}

#[get("/mine")]
fn mine(user: Authenticated<User>) -> String {
    format!("{}'s, {:?}", user.id, user.session().authenticated_at().is_some())
}

/// Every transport, storage and protection.
fn every(dir: &std::path::Path) -> Vec<Figment> {
    let mut all = Vec::new();
    for transport in ["cookie", "header", "bearer"] {
        for place in [figment("client")].into_iter().chain(storages(dir)) {
            all.push(place.merge(("sessions.user.transport", transport)));
        }
        for protect in ["sign", "none"] {
            all.push(
                figment("client")
                    .merge(("sessions.user.transport", transport))
                    .merge(("sessions.user.allow_insecure", true))
                    .merge(("sessions.user.protect", protect)),
            );
        }
    }
    let revocable = figment("client").merge(("sessions.user.revocation", "memory"));
    all.push(revocable);
    all
}

#[tokio::test]
async fn a_request_is_given_a_session_and_its_response_shows_what_became_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in every(dir.path()) {
        let fairing = Sessions::fairing().transport("bearer", Bearer);
        let client = client_with(figment, fairing, routes![mine]).await;
        let ask = async |uri: &'static str| {
            let response = client.get(uri).session(&user("ann")).dispatch().await;
            assert_eq!(response.status(), Status::Ok);
            let after = client.session_after::<User>(&response).await;
            (after, response.into_string().await)
        };
        let counted = User { id: "ann".into(), count: 1 };
        assert_eq!(ask("/get").await, (Some(user("ann")), Some("ann 0".into())));
        assert_eq!(ask("/mine").await, (Some(user("ann")), Some("ann's, true".into())));
        assert_eq!(ask("/count").await, (Some(counted), Some("ann 1".into())));
        assert_eq!(ask("/renew").await.0, Some(user("ann")));
        assert_eq!(ask("/login/bob").await.0, Some(user("bob")));
        assert_eq!(ask("/clear").await.0, None);

        let without = client.get("/login/eve").dispatch().await;
        assert_eq!(client.session_after::<User>(&without).await, Some(user("eve")));
        let nobody = client.get("/get").dispatch().await;
        assert_eq!(client.session_after::<User>(&nobody).await, None);
    }
}

#[test]
fn the_blocking_client_can_do_it_too_and_a_tracking_one_knows_its_jar() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in [figment("client")].into_iter().chain(storages(dir.path())) {
        let rocket = build(figment, Sessions::fairing(), vec![]);
        let client = rocket::local::blocking::Client::tracked(rocket).expect("a rocket");
        let response = client.get("/count").session(&user("ann")).dispatch();
        let counted = User { id: "ann".into(), count: 1 };
        assert_eq!(client.session_after::<User>(&response), Some(counted));
        client.get("/login/bob").dispatch();
        let later = client.get("/get").dispatch();
        assert_eq!(client.session_after::<User>(&later), Some(user("bob")));
    }
}

#[tokio::test]
async fn a_mint_of_a_broken_storage_is_a_request_of_a_broken_storage() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let client: Client = client_with(figment("faulty"), fairing, vec![]).await;
    storage.set(Operation::Create, down());
    let response = client.get("/get").session(&user("ann")).dispatch().await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
}

/// As while keys change: the client holds a token for each key.
#[tokio::test]
async fn a_response_with_several_tokens_is_read_too() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), [KEY, OTHER_KEY].join("\n")).expect("keys");
    for place in PLACES {
        let figment = Figment::from(rocket::Config::default())
            .merge(("log_level", "off"))
            .merge(("sessions.secret_file", file.path().to_string_lossy()))
            .merge(("sessions.user.storage", place))
            .merge(("sessions.user.key_reload", "1 minute"));
        let client = client_with(figment, Sessions::fairing(), vec![]).await;
        let response = client.get("/login/ann").dispatch().await;
        assert!(sent(&response).is_some_and(|token| token.contains('.')), "{place}");
        assert_eq!(client.session_after::<User>(&response).await, Some(user("ann")), "{place}");
    }
}
