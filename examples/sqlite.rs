//! Sessions and the application's own data in one SQLite file, with one connection
//! pool. Both survive restarts and power cuts, and no server is needed.
//!
//! ```sh
//! cargo run --example sqlite --features sqlite
//! curl -c jar -b jar -d 'text=milk' http://127.0.0.1:8000/notes
//! curl -c jar -b jar http://127.0.0.1:8000/notes
//! ```
//!
//! An application that needs no pool of its own writes one line in Rocket.toml
//! instead: `storage = { type = "sqlite", path = "sessions.db" }`.

use rocket::form::Form;
use rocket::http::Status;
use rocket::{FromForm, State, get, post, routes};
use rocket_typed_sessions::config::SessionConfig;
use rocket_typed_sessions::storage::Sqlite;
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

/// A visitor, known only by the number under which the notes are stored.
#[derive(Clone, Serialize, Deserialize)]
struct Visitor {
    id: i64,
    notes: u32,
}

impl SessionData for Visitor {
    const NAME: &'static str = "visitor";
}

#[derive(FromForm)]
struct Note<'r> {
    text: &'r str,
}

#[post("/notes", data = "<note>")]
async fn write(
    visitor: Session<Visitor>,
    note: Form<Note<'_>>,
    pool: &State<SqlitePool>,
) -> Result<String, Status> {
    let id = match visitor.get() {
        Some(visitor) => visitor.id,
        None => number(pool).await?,
    };
    visitor.get_or_insert_with(|| Visitor { id, notes: 0 });
    sqlx::query("INSERT INTO notes (visitor, text) VALUES (?, ?)")
        .bind(id)
        .bind(note.text)
        .execute(&**pool)
        .await
        .map_err(|_| Status::ServiceUnavailable)?;
    visitor.update(|visitor| visitor.notes += 1);
    Ok(format!("{}\n", visitor.get().map_or(0, |visitor| visitor.notes)))
}

#[get("/notes")]
async fn read(visitor: Session<Visitor>, pool: &State<SqlitePool>) -> Result<String, Status> {
    let Some(id) = visitor.get().map(|visitor| visitor.id) else {
        return Ok("Nothing yet.\n".into());
    };
    let notes = sqlx::query_scalar("SELECT text FROM notes WHERE visitor = ? ORDER BY id")
        .bind(id)
        .fetch_all(&**pool)
        .await
        .map_err(|_| Status::ServiceUnavailable)?;
    Ok(notes.into_iter().map(|note: String| note + "\n").collect())
}

async fn number(pool: &SqlitePool) -> Result<i64, Status> {
    sqlx::query_scalar("INSERT INTO visitors DEFAULT VALUES RETURNING id")
        .fetch_one(pool)
        .await
        .map_err(|_| Status::ServiceUnavailable)
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all("build")?;
    let options = SqliteConnectOptions::new()
        .filename(std::env::var_os("NOTES").unwrap_or("build/notes.db".into()))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePool::connect_with(options).await?;
    let tables = "CREATE TABLE IF NOT EXISTS visitors (id INTEGER PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, visitor INTEGER NOT NULL, text TEXT NOT NULL)";
    sqlx::raw_sql(tables).execute(&pool).await?;
    let sessions = Sqlite::with_pool(pool.clone(), "sessions").await?;

    // Your application can write the same in Rocket.toml:
    // [default.sessions.visitor] storage = "database".
    let visitor = SessionConfig { storage: Some("database".into()), ..Default::default() };
    let sessions = Sessions::fairing().storage("database", sessions).configure::<Visitor>(visitor);
    rocket::build().manage(pool).attach(sessions).mount("/", routes![write, read]).launch().await?;
    Ok(())
}
