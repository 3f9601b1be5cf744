//! A session that just fits into its cookie, and one that does not.

use rocket::figment::Figment;
use rocket::{get, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use super::shop::{Browser, Site, in_browser};

#[derive(Clone, Serialize, Deserialize)]
struct Note(String);

impl SessionData for Note {
    const NAME: &'static str = "note";
}

#[get("/set/<size>")]
fn set(session: Session<Note>, size: usize) -> &'static str {
    session.set(Note("x".repeat(size)));
    "It fits."
}

#[get("/size")]
fn size(session: Session<Note>) -> String {
    format!("{} characters", session.get().map_or(0, |note| note.0.len()))
}

async fn fits(browser: &Browser, at: &str, size: usize) -> bool {
    browser.open(&format!("{at}/set/{size}")).await;
    browser.text().await.contains("It fits.")
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_keeps_the_largest_session_that_the_crate_puts_into_a_cookie() {
    let launched = Site::launch(Figment::from(("sessions.note.storage", "client")), |rocket| {
        rocket.attach(Sessions::fairing()).mount("/", routes![set, size])
    });
    let note = launched.await;
    in_browser(async |browser| {
        let at = format!("http://localhost:{}", note.port);
        let (mut largest, mut too_large) = (1, 5000);
        while too_large - largest > 1 {
            let middle = usize::midpoint(largest, too_large);
            *(if fits(browser, &at, middle).await { &mut largest } else { &mut too_large }) =
                middle;
        }
        assert!((2500..4096).contains(&largest), "{largest}");
        assert!(fits(browser, &at, largest).await);
        // What does not fit is refused with 500, and leaves the session as it was.
        for next in [too_large, 100_000] {
            assert!(!fits(browser, &at, next).await);
            browser.shows("500: Internal Server Error").await;
            browser.open(&format!("{at}/size")).await;
            browser.shows(&format!("{largest} characters")).await;
        }
    })
    .await;
}
