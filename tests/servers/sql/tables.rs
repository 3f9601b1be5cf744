//! The tables: who makes them, and which are refused.

use rocket::futures::future::join_all;
use rocket_typed_sessions::storage::{Create, MySql, Postgres, SessionStorage, Sqlite};
use sqlx::sqlite::SqlitePool;

use super::*;

#[tokio::test]
async fn s38_a_table_that_is_no_identifier_is_refused() {
    let pool = SqlitePool::connect("sqlite::memory:").await.expect("a pool");
    for table in ["", "a b", "a;", "x'; DROP TABLE y; --", "1a", "a.b", "ä", &"a".repeat(41)] {
        let opened = Sqlite::with_pool(pool.clone(), table).await;
        let message = opened.expect_err("no name of a table").to_string();
        assert!(message.contains("is not a table name"), "{message}");
    }
    Sqlite::with_pool(pool, "web_sessions_2").await.expect("a name");
}

#[tokio::test]
async fn tables_that_an_administrator_made_need_no_more_rights() {
    let server = postgres(&[]);
    let admin = sqlx::PgPool::connect(&postgres_url(&server)).await.expect("a connection");
    for statement in [
        include_str!("../../../src/storage/sql/postgres.sql"),
        "CREATE ROLE web LOGIN",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, sessions_owners TO web",
    ] {
        sqlx::raw_sql(statement).execute(&admin).await.expect(statement);
    }
    let url = postgres_url(&server).replace("app@", "web@");
    let storage = Postgres::open(&url, "sessions").await.expect("no right to create is needed");
    let created = storage.create(&key(1), record(Some(1), b"x"), FREE, NOW).await;
    assert!(matches!(created, Ok(Create::Created)), "{created:?}");
    let refused = Postgres::open(&url, "others").await.expect_err("no right to make tables");
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[tokio::test]
async fn other_tables_of_that_name_are_refused_at_once() {
    let pool = SqlitePool::connect("sqlite::memory:").await.expect("a pool");
    sqlx::query("CREATE TABLE sessions (id TEXT)").execute(&pool).await.expect("made");
    let refused = Sqlite::with_pool(pool, "sessions").await.expect_err("another table");
    assert!(refused.to_string().contains("no such column"), "{refused}");
}

/// Opens at once on a database without tables, as many processes of one
/// application do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_make_the_tables_at_once() {
    let (postgres, mariadb, folder) = servers();
    let (postgres, mariadb) = (postgres_url(&postgres), mariadb_url(&mariadb));
    let path = folder.path().join("db");
    for round in 0..5 {
        let table = format!("t{round}");
        join_all((0..8).map(|_| Postgres::open(&postgres, &table)))
            .await
            .into_iter()
            .for_each(|opened| drop(opened.expect("PostgreSQL")));
        join_all((0..8).map(|_| MySql::open(&mariadb, &table)))
            .await
            .into_iter()
            .for_each(|opened| drop(opened.expect("MariaDB")));
        join_all((0..8).map(|_| Sqlite::open(&path, &table)))
            .await
            .into_iter()
            .for_each(|opened| drop(opened.expect("SQLite")));
    }
}
