//! What launch says beside the problems of the tables: sessions that end with the process (N18), TLS that is configured
//! and not built in (N28), and a storage that cannot be opened.

use rocket::error::ErrorKind;
use rocket::figment::Figment;
use rocket::figment::util::map;
use rocket::local::asynchronous::Client;
use rocket_typed_sessions::Sessions;

use crate::app::{figment, launch};
use crate::log::{ALONE, install_log, lines};

/// The warnings of a launch that contain `part`.
async fn warnings(figment: Figment, part: &str) -> Vec<String> {
    launch(figment, Sessions::fairing()).await;
    let mut lines = lines();
    lines.retain(|line| line.contains(part));
    lines
}

#[tokio::test]
async fn memory_outside_the_debug_profile_is_named() {
    let _alone = ALONE.lock().await;
    let [line] = &warnings(figment("memory"), "this process").await[..] else { panic!("one line") };
    for part in ["Session `user`", "`storage = \"memory\"`", "end with it", "directory"] {
        assert!(line.contains(part), "{line}");
    }
    for figment in [figment("client"), figment("memory").select("debug")] {
        assert!(warnings(figment, "this process").await.is_empty());
    }
}

/// The tests' Rocket has no TLS.
#[tokio::test]
async fn tls_that_is_configured_and_not_built_in_is_named() {
    let _alone = ALONE.lock().await;
    let tls = |figment: Figment| {
        figment.merge(("tls.certs", "/tmp/certs.pem")).merge(("tls.key", "/tmp/key.pem"))
    };
    let [line] = &warnings(tls(figment("client")), "`tls`").await[..] else { panic!("one line") };
    for part in ["plain HTTP", "`Secure`", "features = [\"tls\"]", "proxy"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(warnings(figment("client"), "`tls`").await.is_empty());
    let header = figment("client").merge(("sessions.user.transport", "header"));
    assert!(warnings(tls(header), "`tls`").await.is_empty(), "no cookie");
}

/// A user table and a cart table inherit one folder, which cannot be made.
#[tokio::test]
async fn a_storage_that_does_not_open_is_named_once_with_the_place_of_its_key() {
    let _alone = ALONE.lock().await;
    install_log();
    lines();
    let storage = map! { "type" => "directory", "path" => "/dev/null/sessions" };
    let figment = figment("client").merge(("sessions.cart.storage", storage.clone()));
    let rocket = rocket::custom(figment.merge(("sessions.user.storage", storage)));
    let launched = Client::untracked(rocket.attach(Sessions::fairing())).await;
    assert!(matches!(launched.expect_err("no storage").kind(), ErrorKind::FailedFairings(_)));
    let mut lines = lines();
    lines.retain(|line| line.contains("/dev/null/sessions"));
    let [line] = &lines[..] else { panic!("one line, not {lines:?}") };
    for part in [
        "`sessions.cart.storage`: ",
        "can create and write to",
        "(in ",
        "launches.rs:",
        "guide/configuration",
    ] {
        assert!(line.contains(part), "{line}");
    }
}
