//! Several applications on one server.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use rocket::error::ErrorKind;
use rocket::figment::Figment;
use rocket::figment::providers::{Format, Toml};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::storage::Redis;
use rocket_typed_sessions::{Session, SessionError, SessionId, Sessions};

use crate::cluster::program;
use crate::nodes::{SECRET, User, figment, logged_in, node_with, text};
use crate::process::free_port;
use crate::redis::{redis, url};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

const OTHER_SECRET: &str = "hex:1b3d5f7092a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";

#[get("/id")]
fn id(session: Session<User>) -> String {
    session.id().map_or_else(String::new, |id| id.to_text())
}

#[get("/list")]
async fn list(sessions: &Sessions) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().list("ann").await?.len().to_string())
}

#[get("/others")]
async fn others(sessions: &Sessions, session: Session<User>) -> Result<String, SessionError> {
    Ok(sessions.of::<User>().revoke_others(&session).await?.to_string())
}

#[get("/end/<id>")]
async fn end(sessions: &Sessions, id: &str) -> Result<String, SessionError> {
    let id: SessionId = id.parse().expect("an id");
    Ok(sessions.of::<User>().revoke_id(&id).await?.to_string())
}

/// An application on a server, with its sessions there, or in its cookies and
/// their ends there.
async fn app(name: &str, secret: &str, by_id: bool, server: &str) -> Client {
    let both = figment(server).merge(("sessions.app", name)).merge(("sessions.secret", secret));
    let figment = if by_id {
        both.merge(("sessions.user.max_sessions_per_owner", 2))
    } else {
        let storage = both.find_value("sessions.user.storage").expect("the server");
        both.merge(("sessions.user.storage", "client")).merge(("sessions.user.revocation", storage))
    };
    node_with(figment, routes![id, list, others, end]).await
}

async fn apart(server: &str) {
    for (by_id, secret) in
        [(false, SECRET), (false, OTHER_SECRET), (true, SECRET), (true, OTHER_SECRET)]
    {
        let case = format!("by id: {by_id}, one secret: {}", secret == SECRET);
        let shop = app("shop", SECRET, by_id, server).await;
        let blog = app("blog", secret, by_id, server).await;
        let of_shop = [logged_in(&shop, "ann").await, logged_in(&shop, "ann").await];
        let of_blog = [logged_in(&blog, "ann").await, logged_in(&blog, "ann").await];
        let alive = async |app: &Client, cookies: &[String; 2]| {
            let read = [text(app, "/get", &cookies[0]).await, text(app, "/get", &cookies[1]).await];
            read.map(|read| read == "ann 0")
        };
        assert_eq!(alive(&shop, &of_shop).await, [true; 2], "{case}: the limit is its own");
        assert_eq!(alive(&blog, &of_blog).await, [true; 2], "{case}");
        assert_eq!(alive(&shop, &of_blog).await, [false; 2], "{case}: no token reads there");
        assert_eq!(alive(&blog, &of_shop).await, [false; 2], "{case}");

        // Everything that the one can do to the other's.
        if by_id {
            assert_eq!(text(&blog, "/list", "").await, "2", "{case}");
            let id = text(&shop, "/id", &of_shop[0]).await;
            assert_eq!(text(&blog, &format!("/end/{id}"), "").await, "false", "{case}");
        }
        for cookie in &of_shop {
            text(&blog, "/logout", cookie).await;
        }
        let ended = text(&blog, "/others", &of_blog[0]).await;
        // Those on the client go uncounted.
        assert_eq!(ended, if by_id { "1" } else { "0" }, "{case}");
        text(&blog, "/everywhere/ann", "").await;
        assert_eq!(alive(&blog, &of_blog).await, [false; 2], "{case}");
        assert_eq!(alive(&shop, &of_shop).await, [true; 2], "{case}: the other's do not");

        text(&shop, "/everywhere/ann", "").await;
        assert_eq!(alive(&shop, &of_shop).await, [false; 2], "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s79_two_applications_on_one_redis_never_meet() {
    apart(&url(redis(&[]).port)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s79_two_applications_on_one_postgres_never_meet() {
    apart(&postgres_url(&postgres(&[]))).await;
}

/// An id that is not signed is all that a client needs: only its record's name
/// keeps it from another application.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s79_an_unprotected_id_opens_nothing_in_another_application() {
    let server = redis(&[]);
    let app = async |name: &str| {
        let figment = figment(&url(server.port))
            .merge(("sessions.app", name))
            .merge(("sessions.user.protect", "none"))
            .merge(("sessions.user.allow_insecure", true));
        node_with(figment, vec![]).await
    };
    let (shop, blog) = (app("shop").await, app("blog").await);
    let cookie = logged_in(&shop, "ann").await;
    assert_eq!(text(&blog, "/get", &cookie).await, "absent");
    text(&blog, "/logout", &cookie).await;
    assert_eq!(text(&shop, "/get", &cookie).await, "ann 0");
}

/// Whether an application with this table launches.
async fn launches(table: &str, profile: &str, app: &str, mine: &Redis) -> bool {
    let toml = format!("[default.sessions]\napp = '{app}'\n[default.sessions.user]\n{table}");
    let figment = Figment::from(rocket::Config::default())
        .merge(Toml::string(&toml).nested())
        .merge(("log_level", "off"))
        .merge(("sessions.secret", SECRET))
        .select(profile);
    let fairing = Sessions::fairing().storage("mine", mine.clone());
    let ignited = rocket::custom(figment).attach(fairing).ignite().await;
    ignited
        .inspect_err(|error| {
            assert!(matches!(error.kind(), ErrorKind::FailedFairings(_)), "{error}");
        })
        .is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s79_without_app_a_server_of_several_applications_launches_in_debug_only() {
    let (redis, postgres, mariadb) = (redis(&[]), postgres(&[]), mariadb(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().display();
    let redis = url(redis.port);
    let mine = Redis::open([&redis], "mine").await.expect("a connection");
    for (storage, shared) in [
        (format!("{{ type = 'redis', url = '{redis}' }}"), true),
        (format!("{{ type = 'postgres', url = '{}' }}", postgres_url(&postgres)), true),
        (format!("{{ type = 'mysql', url = '{}' }}", mariadb_url(&mariadb)), true),
        (format!("{{ type = 'sqlite', path = '{folder}/db' }}"), false),
        (format!("{{ type = 'directory', path = '{folder}/files' }}"), false),
        ("'memory'".into(), false),
        ("'mine'".into(), false),
    ] {
        for key in ["storage", "revocation", "cache = {}\nstorage"] {
            let table = format!("{key} = {storage}");
            let near = storage == "'memory'" || storage.contains("directory");
            if near && key.starts_with("cache") {
                continue;
            }
            assert!(launches(&table, "debug", "", &mine).await, "{table}");
            assert!(launches(&table, "release", "shop", &mine).await, "{table}");
            for profile in ["release", "staging"] {
                assert_eq!(launches(&table, profile, "", &mine).await, !shared, "{table}");
            }
        }
    }
}

/// What a node says that is launched without a name, and whether it serves.
fn launched(profile: &str, redis: u16) -> (String, bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, out) = (free_port(), folder.path().join("out"));
    let file = std::fs::File::create(&out).expect("a file");
    let mut node = Command::new(program())
        .envs([("ROCKET_CONFIG", "examples/cluster/Rocket.toml"), ("ROCKET_PROFILE", profile)])
        .envs([("ROCKET_SESSIONS__APP", "\"\""), ("ROCKET_SESSIONS__SECRET", SECRET)])
        .envs(
            ["LOGIN", "CART"]
                .map(|name| (format!("ROCKET_SESSIONS__{name}__STORAGE__URL"), url(redis))),
        )
        .envs([("ROCKET_PORT", port.to_string()), ("ROCKET_CLI_COLORS", "false".into())])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(file.try_clone().expect("a file"))
        .stdout(file)
        .spawn()
        .expect("the example is built");
    let serves = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    let end = loop {
        match node.try_wait().expect("its state") {
            Some(_) => break false,
            None if serves() => break true,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let _ = node.kill();
    let _ = node.wait();
    (std::fs::read_to_string(out).expect("text"), end)
}

#[test]
fn s79_launch_says_once_what_to_write() {
    let store = redis(&[]);
    let message = "`sessions.app`: missing. The session(s) `cart`, `login` use a server that other \
                   applications may use as well: applications without names of their own see and \
                   end one another's sessions there. Write app = \"shop-production\" below \
                   [default.sessions] in Rocket.toml, or set ROCKET_SESSIONS__APP=shop-production";
    for profile in ["release", "debug"] {
        let (said, serves) = launched(profile, store.port);
        assert_eq!(serves, profile == "debug", "{said}");
        assert_eq!(said.matches(message).count(), 1, "{said}");
        assert_eq!(said.matches("sessions.app").count(), 1, "{said}");
    }
}
