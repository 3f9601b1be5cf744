//! A session that begins outside of its cookie's path (T9).

use crate::app::*;
use crate::log::{ALONE, lines};

#[tokio::test]
async fn a_session_that_begins_outside_of_the_path_is_named_once() {
    let _alone = ALONE.lock().await;
    for storage in ["client", "memory"] {
        let client = client(figment(storage).merge(("sessions.user.cookie.path", "/shop"))).await;
        for uri in ["/shop/set", "/get", "/shop/get", "/login/ann", "/shop/login/ann"] {
            get(&client, uri, &[]).await;
            assert!(lines().is_empty(), "{uri}");
        }
        get(&client, "/set", &[]).await;
        let [line] = &lines()[..] else { panic!("one line") };
        for part in ["Session `user`", "`/set`", "\"/shop\"", "Mount", "path = \"/\""] {
            assert!(line.contains(part), "{line}");
        }
        get(&client, "/set", &[]).await;
        assert!(lines().is_empty(), "once");
    }
}

/// The path that the browser sees may be a proxy's.
#[tokio::test]
async fn where_no_route_is_below_the_path_a_proxy_may_add_it() {
    let _alone = ALONE.lock().await;
    let client = client(figment("client").merge(("sessions.user.cookie.path", "/app"))).await;
    get(&client, "/set", &[]).await;
    let [line] = &lines()[..] else { panic!("one line") };
    assert!(line.contains("Unless a proxy") && line.contains("\"/app\""), "{line}");
}

#[tokio::test]
async fn nothing_is_said_of_a_session_that_was_presented_or_of_a_path_that_fits() {
    let _alone = ALONE.lock().await;
    let path = client(figment("memory").merge(("sessions.user.cookie.path", "/shop"))).await;
    let response = get(&path, "/shop/login/ann", &[]).await;
    let cookie = format!("Cookie: {}", crate::shared::sent(&response).expect("a cookie"));
    // A test's client sends it everywhere.
    get(&path, "/set", &[&cookie]).await;
    let root = client(figment("memory")).await;
    get(&root, "/set", &[]).await;
    assert!(lines().is_empty());
}
