//! A session that is too large for its token or its storage (N27).

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionError, Sessions};

use crate::app::figment;
use crate::log::{ALONE, install_log, lines};
use crate::shared::{User, user};

#[get("/large")]
fn large(session: Session<User>) {
    session.set(user(&"x".repeat(100_000)));
}

#[get("/save")]
async fn save(session: Session<User>) -> Result<(), SessionError> {
    session.set(user(&"x".repeat(7000)));
    session.save().await
}

#[tokio::test]
async fn the_log_names_the_session_its_limit_and_what_to_write() {
    let _alone = ALONE.lock().await;
    install_log();
    let header = figment("client").merge(("sessions.user.transport", "header"));
    let header = header.merge(("sessions.user.max_payload", 1_000_000));
    for (figment, uri, limit, write) in [
        (figment("memory"), "/large", "65536", "`max_payload`"),
        (figment("client"), "/save", "4096", "`storage = \"memory\"`"),
        (header, "/large", "8192", "`storage = \"memory\"`"),
    ] {
        let rocket = rocket::custom(figment).attach(Sessions::fairing());
        let rocket = rocket.mount("/", routes![large, save]);
        let client = Client::untracked(rocket).await.expect("a valid configuration");
        lines();
        let response = client.get(uri).dispatch().await;
        assert_eq!(response.status(), Status::InternalServerError);
        let lines = lines();
        let line = lines.iter().find(|line| line.contains("bytes")).expect("a line");
        for part in ["Session `user`", limit, write] {
            assert!(line.contains(part), "{line}");
        }
    }
}
