//! Storages that outlive their process.

use crate::server::*;

#[test]
fn s57_two_processes_on_one_directory_lose_no_update() {
    let dir = tempfile::tempdir().expect("a folder");
    let storage = format!("{{type=directory,path={:?}}}", dir.path().join("sessions"));
    let environment = [
        ("ROCKET_SESSIONS__SECRET", SECRET),
        ("ROCKET_SESSIONS__USER_SESSION__STORAGE", storage.as_str()),
        ("ROCKET_SESSIONS__USER_SESSION__STORAGE_TIMEOUT", "20 seconds"),
        ("ROCKET_SESSIONS__USER_SESSION__COOKIE__MAX_AGE", "1 hour"),
    ];
    let servers = [(); 2].map(|()| Server::start("cookie_client", &environment));
    let login = servers[0].raw("/login", b"");
    let cookie = header(&login, "Set-Cookie").and_then(|cookie| cookie.split(';').next());
    let head = format!("Cookie: {}\r\n", cookie.expect("a cookie"));
    std::thread::scope(|scope| {
        for server in &servers {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let user = server.raw("/user", head.as_bytes());
                        assert!(body(&user).starts_with("Session ID is 123abc."), "{user}");
                    }
                });
            }
        }
    });
    let last = servers[0].raw("/user", head.as_bytes());
    assert_eq!(body(&last), "Session ID is 123abc. Reload count is 161.");
    servers[0].raw("/logout", head.as_bytes());
    let after = servers[1].raw("/user", head.as_bytes());
    assert_eq!(body(&after), GONE, "a logout on one node holds on the other");
}

#[test]
fn custom_storages_of_both_kinds_count_forget_and_the_folder_survives_kill_9() {
    let server = Server::start("custom_storage", &[]);
    let (_dir, jar) = jar();
    let cookies = ["-b", &jar, "-c", &jar];
    assert_eq!(server.curl("/", &cookies), "Visit number 1.");
    assert_eq!(server.curl("/", &cookies), "Visit number 2.");
    assert_eq!(server.curl("/forget", &cookies), "Forgotten.");
    assert_eq!(server.curl("/", &cookies), "Visit number 1.");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shopping").to_string_lossy().into_owned();
    let environment = [("FOLDER", path.as_str()), ("ROCKET_SESSIONS__SECRET", SECRET)];
    let server = Server::start("custom_storage_simple", &environment);
    assert_eq!(server.curl("/add/milk", &cookies), "milk");
    drop(server);
    let server = Server::start("custom_storage_simple", &environment);
    assert_eq!(server.curl("/add/bread", &cookies), "milk, bread");
    assert_eq!(server.curl("/forget", &cookies), "Forgotten.");
    assert_eq!(std::fs::read_dir(path).expect("the folder").count(), 0, "nothing is left");
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_keeps_what_it_acknowledged_through_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.db").to_string_lossy().into_owned();
    let environment = [
        ("NOTES", file.as_str()),
        (
            "ROCKET_SESSIONS__SECRET",
            "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978",
        ),
    ];
    let (_dir, jar) = jar();
    let cookies = ["-b", &jar, "-c", &jar];
    let mut count = 0;
    for round in 0..3 {
        let server = Server::start("sqlite", &environment);
        for _ in 0..5 {
            let text = format!("text=note{count}");
            let post = [&cookies[..], &["-d", &text]].concat();
            count += 1;
            assert_eq!(server.curl("/notes", &post), format!("{count}\n"), "round {round}");
        }
        // Dropping the server is `kill -9`.
    }
    let server = Server::start("sqlite", &environment);
    let notes = server.curl("/notes", &cookies);
    assert_eq!(notes.lines().count(), 15, "{notes}");
    assert_eq!(server.curl("/notes", &[]), "Nothing yet.\n");
}
