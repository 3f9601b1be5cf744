//! What becomes of the response: privacy headers, and the replacement when a
//! session cannot be saved.

use rocket::http::{Header, Status};
use rocket::response::Responder;
use rocket::{Request, Response, catch, catchers, get, routes};
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

/// A response with the headers that a test wants.
struct With(&'static [(&'static str, &'static str)]);

impl<'r> Responder<'r, 'static> for With {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        let mut response = Response::build();
        for (name, value) in self.0 {
            response.header_adjoin(Header::new(*name, *value));
        }
        response.sized_body(4, std::io::Cursor::new("body")).ok()
    }
}

const HEADERS: [&[(&str, &str)]; 6] = [
    &[("Vary", "Accept"), ("Vary", "Origin"), ("Cache-Control", "public, max-age=60")],
    &[("Vary", "cookie, Accept"), ("Cache-Control", "private")],
    &[("Vary", "*"), ("Cache-Control", "no-store")],
    &[("Cache-Control", "public, private")],
    &[("Cache-Control", "max-age=60")],
    &[],
];

#[get("/with/<which>/<count>")]
fn with(session: Session<User>, which: usize, count: bool) -> With {
    if count {
        session.update(|user| user.count += 1);
    }
    With(HEADERS[which])
}

#[tokio::test]
async fn s15_vary_is_merged_and_cache_control_made_private() {
    let client = client_with(figment("client"), Sessions::fairing(), routes![with]).await;
    let token = logged_in(&client, "ann").await;
    for (which, vary, read, written) in [
        (0, "Accept, Origin, Cookie", "no-store", "no-store"),
        (1, "cookie, Accept", "private", "private"),
        (2, "*", "no-store", "no-store"),
        (3, "Cookie", "public, private", "no-store"),
        (4, "Cookie", "no-store", "no-store"),
        (5, "Cookie", "no-store", "no-store"),
    ] {
        for (count, cached) in [(false, read), (true, written)] {
            let response = with_cookie(&client, &format!("/with/{which}/{count}"), &token).await;
            let all = |name| response.headers().get(name).collect::<Vec<_>>();
            assert_eq!((all("Vary"), all("Cache-Control")), (vec![vary], vec![cached]), "{which}");
        }
    }
}

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
