//! What launch warns of: sessions that end with the process (N18), and TLS that is configured and
//! not built in (N28).

use rocket::figment::Figment;
use rocket_typed_sessions::Sessions;

use crate::app::{figment, launch};
use crate::log::{ALONE, lines};

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
