//! The handle of a session, by which a page of devices marks this one (N11).

use rocket::http::Status;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::concurrency::storages;
use crate::support::*;

#[get("/handle")]
fn own(session: Session<User>) -> Option<String> {
    Some(session.handle()?.to_string())
}

#[get("/login-handle/<id>")]
fn login(session: Session<User>, id: &str) -> Option<String> {
    session.login(user(id));
    own(session)
}

#[get("/handles")]
async fn listed(sessions: &Sessions) -> Result<String, SessionError> {
    let list = sessions.of::<User>().list("ann").await?;
    Ok(list.iter().map(|info| info.handle.to_string()).collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn a_session_has_the_handle_that_the_list_has_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    for figment in storages(dir.path()) {
        let routes = routes![own, login, listed];
        let client = client_with(figment, Sessions::fairing(), routes).await;
        let mut handles = Vec::new();
        for _ in 0..3 {
            let login = with_cookie(&client, "/login-handle/ann", "").await;
            let token = sent(&login).expect("a token");
            let handle = login.into_string().await.expect("a handle");
            assert_eq!(
                text(&client, "/handle", &token).await,
                handle,
                "right after the login, too"
            );
            let renewed = sent(&with_cookie(&client, "/renew", &token).await).expect("a token");
            assert_eq!(text(&client, "/handle", &renewed).await, handle, "it survives");
            handles.push(handle);
        }
        let list = text(&client, "/handles", "").await;
        let mut listed: Vec<_> = list.lines().collect();
        listed.sort_unstable();
        handles.sort();
        assert_eq!(listed, handles);
        assert_eq!(with_cookie(&client, "/handle", "").await.status(), Status::NotFound);
    }
}

#[tokio::test]
async fn a_session_on_the_client_has_no_handle() {
    let client = client_with(figment("client"), Sessions::fairing(), routes![own]).await;
    let token = logged_in(&client, "ann").await;
    assert_eq!(with_cookie(&client, "/handle", &token).await.status(), Status::NotFound);
}
