//! axum on a socket, bare or with tower-sessions in memory: `sockets-axum APP PORT`.

use std::env;
use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tower_sessions::session::Error as SessionError;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

const KEY: &str = "user";

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: u32,
    count: u32,
}

/// The text where the handler found the session.
type Found = Result<&'static str, StatusCode>;

fn app(name: &str) -> Option<Router> {
    match name {
        "bare" => Some(Router::new().route("/plain", get(|| async { "found" }))),
        "memory" => Some(memory()),
        _ => None,
    }
}

fn memory() -> Router {
    Router::new()
        .route("/start", get(start))
        .route("/read", get(read))
        .route("/write", get(write))
        .layer(SessionManagerLayer::new(MemoryStore::default()))
}

async fn start(session: Session) -> Found {
    put(&session, User { user_id: 42, count: 1_000_000 }).await
}

async fn read(session: Session) -> Found {
    user(&session).await.map(|_| "found")
}

async fn write(session: Session) -> Found {
    let mut user = user(&session).await?;
    user.count += 1;
    put(&session, user).await
}

async fn user(session: &Session) -> Result<User, StatusCode> {
    session.get(KEY).await.map_err(failed)?.ok_or(StatusCode::NOT_FOUND)
}

async fn put(session: &Session, user: User) -> Found {
    session.insert(KEY, user).await.map_err(failed)?;
    Ok("found")
}

fn failed(_: SessionError) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

/// One worker, as in the Rocket applications.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [name, port] = arguments.as_slice() else { return Err("APP PORT".into()) };
    let app = app(name).ok_or("no such application")?;
    let port = port.parse::<u16>()?;
    Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        axum::serve(TcpListener::bind(("127.0.0.1", port)).await?, app).await
    })?;
    Ok(())
}
