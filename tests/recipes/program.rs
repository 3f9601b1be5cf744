//! The example as a process of its own: its configuration, and a node that is killed.

use std::process::Command;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::process::{SECRET, Server, header, jar};

#[test]
fn the_program_has_every_recipe_and_variables_take_precedence_over_its_file() {
    let server = Server::start("recipes", &[("ROCKET_SESSIONS__READER__NAME", "sid")]);
    let login = server.curl("/next/login", &["-i", "-d", "name=ann&password=swordfish"]);
    assert_eq!(header(&login, "Location"), Some("/next"));
    assert!(
        header(&login, "Set-Cookie").is_some_and(|cookie| cookie.starts_with("sid=")),
        "{login}"
    );
    for path in [
        "/user",
        "/double-click/login",
        "/password",
        "/token-refresh",
        "/oauth",
        "/double-submit",
        "/csrf-cookie",
        "/rolling",
    ] {
        let status = server.curl(path, &["-o", "/dev/null", "-w", "%{http_code}"]);
        assert!(["200", "401"].contains(&status.as_str()), "{path}: {status}");
    }
}

#[test]
fn in_the_release_profile_no_other_host_can_plant_a_visitors_cookie() {
    let environment = [("ROCKET_PROFILE", "release"), ("ROCKET_SESSIONS__SECRET", SECRET)];
    let server = Server::start("recipes", &environment);
    let token = server.raw("/double-submit/token", b"");
    let cookie = header(&token, "Set-Cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-guest=") && cookie.contains("; Secure"), "{cookie}");
    let login = server.curl("/csrf-cookie/login/ann", &["-i", "-X", "POST"]);
    assert!(
        login.lines().any(|line| line.contains("XSRF-TOKEN=") && line.contains("; Secure")),
        "{login}"
    );
}

#[test]
fn after_kill_9_of_the_node_that_refreshes_another_one_takes_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = format!("{{type=directory,path={:?}}}", folder.path().join("sessions"));
    let environment = [
        ("ROCKET_SESSIONS__SECRET", SECRET),
        ("ROCKET_SESSIONS__GRANT__STORAGE", storage.as_str()),
    ];
    let (_dir, jar) = jar();
    let dying = Server::start("recipes", &environment);
    let living = Server::start("recipes", &environment);
    dying.curl("/token-refresh/login", &["-X", "POST", "-c", &jar]);
    let cookie = std::fs::read_to_string(&jar).expect("the jar");
    let token = cookie.split_whitespace().last().expect("a token");
    let head = format!("Cookie: grant={token}\r\n");
    scope(|scope| {
        let lost = scope.spawn(|| dying.raw("/token-refresh", head.as_bytes()));
        // Its endpoint takes a second.
        sleep(Duration::from_millis(500));
        let id = dying.process.id().to_string();
        let killed = Command::new("kill").args(["-9", &id]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        assert_eq!(lost.join().expect("no panic"), "", "it died in the middle");
    });
    let began = Instant::now();
    let arguments = ["--max-time", "30", "-b", &jar];
    scope(|scope| {
        let requests = [(); 4].map(|()| scope.spawn(|| living.curl("/token-refresh", &arguments)));
        for request in requests {
            let answer = request.join().expect("no panic");
            assert_eq!(answer, "The API is called with access-1.\n");
        }
    });
    assert!(began.elapsed() > Duration::from_secs(5), "they have waited for the claim");
}
