//! The response that replaces another when a session cannot be saved.

use rocket::http::{Header, Status};
use rocket::{Request, catch, catchers, get, routes};
use rocket_typed_sessions::{Session, Sessions};

use crate::caching::With;
use crate::support::*;

#[get("/deep/route?<too_large>")]
fn deep(session: Session<User>, too_large: Option<usize>) -> With {
    session.update(move |user| {
        user.count += 1;
        user.id = "x".repeat(too_large.unwrap_or(1));
    });
    With(&[
        ("Location", "/elsewhere"),
        ("ETag", "\"1\""),
        ("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("Content-Language", "en"),
        ("Set-Cookie", "other=1"),
        ("X-Handler", "kept"),
    ])
}

#[catch(503)]
fn outer() -> &'static str {
    "outer 503"
}

#[catch(503)]
fn inner() -> (Status, &'static str) {
    (Status::ServiceUnavailable, "inner 503")
}

#[catch(default)]
fn innermost(status: Status, _: &Request<'_>) -> String {
    format!("innermost {}", status.code)
}

#[catch(500)]
fn broken() -> &'static str {
    panic!("the catcher fails")
}

#[tokio::test]
async fn a_failed_save_runs_the_catcher_that_rocket_would_and_drops_the_handlers_headers() {
    let fault = faulty();
    let fairing = Sessions::fairing().storage("fault", fault.clone());
    let rocket = rocket::custom(figment("fault"))
        .attach(fairing)
        .attach(rocket::fairing::AdHoc::on_response("other", |_, response| {
            Box::pin(async move {
                response.set_header(Header::new("X-Fairing", "kept"));
            })
        }))
        .mount("/", routes![deep])
        .mount("/a", routes![deep])
        .mount("/a/deep", routes![deep])
        .mount("/", login_route())
        .register("/", catchers![outer, broken])
        .register("/a", catchers![inner])
        .register("/a/deep", catchers![innermost]);
    let client = rocket::local::asynchronous::Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    break_writes(&fault, &down());
    for (uri, body) in [
        ("/deep/route", "outer 503"),
        ("/a/deep/route", "innermost 503"),
        ("/a/deep/deep/route", "innermost 503"),
    ] {
        let response = with_cookie(&client, uri, &token).await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{uri}");
        for (name, value) in [
            ("Location", None),
            ("ETag", None),
            ("Last-Modified", None),
            ("Content-Language", None),
            ("Set-Cookie", None),
            ("Retry-After", Some("1")),
            ("X-Fairing", Some("kept")),
            ("X-Handler", Some("kept")),
            ("Vary", Some("Cookie")),
            ("Cache-Control", Some("no-store")),
        ] {
            assert_eq!(response.headers().get_one(name), value, "{uri}: {name}");
        }
        assert_eq!(response.into_string().await.as_deref(), Some(body), "{uri}");
    }
    fault.mend();
    // The catcher that panics leaves a plain 500, and the connection alive.
    let response = with_cookie(&client, "/deep/route?too_large=100000", &token).await;
    assert_eq!(response.status(), Status::InternalServerError);
    assert_eq!(sent(&response), None);
    assert_eq!(response.headers().get_one("Retry-After"), None);
}
