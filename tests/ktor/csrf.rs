//! CSRF tokens of sessions in Ktor's format.

use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, Sessions};

use crate::app::*;
use crate::shared::OTHER_KEY;

#[get("/csrf-or-not")]
fn csrf_or_not(session: Session<UserSession>) -> String {
    format!("{:?}", session.csrf_token())
}

#[tokio::test]
async fn a_payload_in_ktors_cookie_gives_no_csrf_token_that_could_be_guessed() {
    let rocket = rocket::custom(figment(&signed())).attach(Sessions::fairing());
    let rocket = rocket.mount("/", routes![set, csrf_or_not, form]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    assert!(text(&client, "/csrf-or-not", &cookie).await.starts_with("Err(Unsupported("));
    let cookie = Header::new("Cookie", format!("user_session={cookie}"));
    let request = client.post("/form").header(Header::new("X-CSRF-Token", "x".repeat(43)));
    assert_eq!(request.header(cookie).dispatch().await.status(), Status::InternalServerError);
}

/// An application with a form, or what kept it from launching.
async fn with_form(figment: Figment) -> Result<Client, rocket::Error> {
    let rocket = rocket::custom(figment).attach(Sessions::fairing());
    Client::untracked(rocket.mount("/", routes![set, csrf, form])).await
}

/// The status of a form with this token.
async fn send_form(client: &Client, cookie: &str, token: &str) -> u16 {
    let cookie = Header::new("Cookie", format!("user_session={cookie}"));
    let request = client.post("/form").header(Header::new("X-CSRF-Token", token.to_owned()));
    request.header(cookie).dispatch().await.status().code
}

async fn csrf_of(client: &Client, cookie: &str) -> String {
    let page = text(client, "/csrf", cookie).await;
    page.split(' ').next().expect("a token").to_owned()
}

#[tokio::test]
async fn csrf_tokens_of_ktors_ids_hang_on_every_sign_key_or_where_none_signs_on_a_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    let (old, new) = ("hex:6819b57a326945c1968f45236589", "hex:a1b2c3d4e5f60718293a4b5c6d7e8f90");
    let with_keys = async |keys: &[&str]| {
        let lines = in_directory(dir.path());
        with_form(and(lines, &[("sign_key", serde_json::json!(keys))])).await.expect("it launches")
    };
    let (one, both, other) =
        (with_keys(&[old]).await, with_keys(&[new, old]).await, with_keys(&[new]).await);
    let cookie = sent(&one.get("/set/ann").dispatch().await).expect("a token");
    let token = csrf_of(&one, &cookie).await;
    assert_eq!(send_form(&one, &cookie, &token).await, 200);
    assert_eq!(send_form(&both, &cookie, &token).await, 200, "every key verifies");
    let token = csrf_of(&both, &cookie).await;
    assert_eq!(send_form(&both, &cookie, &token).await, 200);
    assert_eq!(send_form(&one, &cookie, &token).await, 403, "the first key makes it");
    assert_eq!(send_form(&other, &cookie, &token).await, 403, "nobody's cookie");

    let unsigned = |secret: Option<&str>| {
        let lines = in_directory(dir.path())[..2].to_vec();
        let secret = secret.map(|secret| ("secret", secret.into()));
        let more: Vec<_> = [("protect", "none".into())].into_iter().chain(secret).collect();
        and(lines, &more)
    };
    let refused = with_form(unsigned(None)).await.expect_err("no key for the form");
    assert!(matches!(refused.kind(), rocket::error::ErrorKind::SentinelAborts(_)));
    let client = with_form(unsigned(Some(SECRET))).await.expect("it launches");
    let other = with_form(unsigned(Some(OTHER_KEY))).await.expect("it launches");
    let cookie = sent(&client.get("/set/ann").dispatch().await).expect("a token");
    let token = csrf_of(&client, &cookie).await;
    assert_eq!(send_form(&client, &cookie, &token).await, 200);
    assert_eq!(send_form(&other, &cookie, &token).await, 403, "another secret");
}
