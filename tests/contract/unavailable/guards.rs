//! Guards whose error is swallowed.

use rocket::get;
use rocket::http::{ContentType, Header, Status};
use rocket_typed_sessions::Session;

use super::*;
use crate::support::*;

const SWALLOWED: [(&str, u16); 14] = [
    ("/option", 200),
    ("/authenticated", 303),
    ("/recently", 200),
    ("/result", 204),
    ("/result-authenticated", 200),
    ("/outcome", 200),
    ("/csrf", 200),
    ("/own", 200),
    ("/forward", 200),
    ("/forward-to-catcher", 200),
    ("/page", 200),
    ("/nowhere", 404),
    ("/get", 200),
    ("/fails/404", 404),
];

#[tokio::test]
async fn s65_whoever_swallows_a_guards_error_gets_503() {
    let (client, token, storage) = broken().await;
    for (uri, _) in SWALLOWED {
        assert_unavailable(with_cookie(&client, uri, &token).await, uri).await;
    }
    // Where no token is presented, no storage is asked.
    for (uri, status) in [("/option", 200), ("/authenticated", 303), ("/nowhere", 404)] {
        assert_eq!(client.get(uri).dispatch().await.status().code, status, "{uri}");
    }
    storage.mend();
    for (uri, status) in SWALLOWED {
        let response = with_cookie(&client, uri, &token).await;
        assert_eq!(response.status().code, status, "{uri}");
        assert_eq!(header(&response, "Retry-After"), None, "{uri}");
    }
}

#[tokio::test]
async fn s65_head_and_post_requests_are_no_exception() {
    let (client, token, _) = broken().await;
    let cookie = || Header::new("Cookie", token.clone());
    for uri in ["/option", "/authenticated"] {
        let response = client.head(uri).header(cookie()).dispatch().await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{uri}");
        assert_eq!(header(&response, "Location"), None, "{uri}");
        assert_eq!(response.into_string().await.unwrap_or_default(), "", "{uri}");
    }
    let response = client
        .post("/csrf-header")
        .header(cookie())
        .header(Header::new("X-CSRF-Token", "x".repeat(43)));
    assert_unavailable(response.dispatch().await, "/csrf-header").await;
    let response = client.post("/csrf-form").header(cookie()).header(ContentType::Form);
    let response = response.body("csrf_token=x&text=y").dispatch().await;
    assert_unavailable(response, "/csrf-form").await;
}

#[get("/fails/<status>")]
pub fn fails(_session: Option<Session<User>>, status: u16) -> Status {
    Status::new(status)
}

#[tokio::test]
async fn a_response_that_says_that_something_failed_stays_as_it_is() {
    let (client, token, _) = broken().await;
    for status in [500, 502, 504] {
        let response = with_cookie(&client, &format!("/fails/{status}"), &token).await;
        assert_eq!(response.status().code, status);
    }
}
