//! A safe `next`: own paths are where a login leads, and nothing else is.

use proptest::prelude::{ProptestConfig, proptest};

use crate::recipes::next::Next;
use crate::recipes::users::Users;
use crate::server::{Browser, encode, start};

/// Where a login with this `next` leads.
async fn login(browser: &mut Browser, next: Option<&str>) -> String {
    let next = next.map_or(String::new(), |next| format!("&next={}", encode(next)));
    let answer = browser.post("/next/login", &format!("name=ann&password=swordfish{next}")).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.location()
}

#[tokio::test]
async fn users_are_where_they_wanted_to_go() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    // A query with what HTML and forms have a meaning for.
    let wanted = "/next/articles/7?page=2&amp;=1&copy=%26%20a%2Bb&quote='";
    let challenge = browser.get(wanted).await;
    assert_eq!(challenge.status, 303);
    let form = browser.get(&challenge.location()).await;
    assert_eq!(form.field("next"), wanted);
    let wrong = format!("name=ann&password=wrong&next={}", encode(&form.field("next")));
    let again = browser.post("/next/login", &wrong).await;
    assert_eq!(
        (again.status, again.field("next").as_str()),
        (401, wanted),
        "after a wrong password"
    );
    assert_eq!(login(&mut browser, Some(&again.field("next"))).await, wanted);
    assert_eq!(browser.get(wanted).await.body, "Article 7, page 2");
}

#[tokio::test]
async fn a_form_that_was_sent_is_not_where_a_login_leads() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    let challenge = browser.post("/next/articles/7", "text=lost").await;
    assert_eq!((challenge.status, challenge.location().as_str()), (303, "/next/login"));
    assert_eq!(login(&mut browser, None).await, "/next");
}

const HOSTILE: [&str; 62] = [
    "",
    " ",
    "/ ",
    " /",
    "evil",
    "evil.example",
    "//",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "//evil.example/next",
    "//evil.example@localhost",
    "//@evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\evil",
    "/next\\..\\evil",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "https:///evil.example",
    "HTTPS://evil.example",
    "http://localhost/next",
    "http:/next",
    "ftp://evil.example",
    "javascript:alert(1)",
    "javascript://%0aalert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "/\tevil",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\u{0}//evil.example",
    "/\u{0}",
    "/\u{1f}/evil.example",
    "/\u{7f}",
    "/next\r\nSet-Cookie: a=b",
    "/next%0d%0aSet-Cookie:%20a=b",
    "/%0a/evil",
    "/%00",
    "/%09//evil.example",
    "/%2fevil.example",
    "/%2F%2Fevil.example",
    "%2f%2fevil.example",
    "/%5cevil.example",
    "/%5C/evil.example",
    "/..//evil.example",
    "/../evil",
    "/./evil",
    "/.//evil.example",
    "/%2e%2e/evil",
    "/%2e/%2e",
    "/next/..",
    "@evil.example",
    "user@evil.example",
    "?next=//evil.example",
    "#//evil.example",
    "/next#//evil.example",
];

const HARMLESS: [&str; 10] = [
    "/",
    "/next",
    "/next/",
    "/@evil.example",
    "/next/a:b",
    "/https:evil",
    "/next?to=https://evil.example",
    "/next/%C3%A4%20b",
    "/a/...",
    "/next?a&&b=//",
];

#[tokio::test]
async fn nothing_leads_to_another_site() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    let long = format!("/{}", "a".repeat(1024));
    let more = ["/\u{e4}", "/\u{2028}", "/\u{ff0f}evil.example", "/\u{2215}evil.example", &long];
    for next in HOSTILE.into_iter().chain(more) {
        assert_eq!(login(&mut browser, Some(next)).await, "/next", "{next:?}");
        // The login page does not show it, either.
        let page = browser.get(&format!("/next/login?next={}", encode(next))).await;
        assert_eq!((page.status, page.field("next").as_str()), (200, ""), "{next:?}");
    }
    // The way from the challenge to the form keeps nothing of it.
    for asked in ["//evil.example", "/next//evil.example", "/next/../evil", "/next/%2e%2e//evil"] {
        let challenge = browser.get(asked).await;
        assert!(!challenge.location().contains("evil"), "{asked}: {}", challenge.location());
    }
}

#[tokio::test]
async fn paths_of_the_application_lead_there() {
    let (server, _) = start::<Users>().await;
    let mut browser = server.browser();
    for next in HARMLESS {
        assert_eq!(login(&mut browser, Some(next)).await, next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What a browser makes of it: one slash, then neither a slash nor what it takes for one, and
    /// nothing that it leaves out.
    #[test]
    fn whatever_is_accepted_is_a_path_for_browsers_too(
        text in r"[/\\]{0,3}[a-z:@?#.%/\\ \t\n\r\x00-\x1f0-9]{0,12}[^a]{0,2}"
    ) {
        if let Some(next) = Next::new(&text) {
            let path = next.path();
            assert_eq!(path, text);
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
            let rest = path.strip_prefix('/').expect("a slash");
            assert!(!rest.starts_with(['/', '\\']), "{path:?}");
            assert!(!rest.split('?').next().expect("a path").contains(['\\', '#']), "{path:?}");
        }
    }
}
