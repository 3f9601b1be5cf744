//! The storages on real servers: private instances on free ports, started and
//! killed by these tests. Logins in a real browser. A server or browser that is
//! missing fails them; `scripts/test` installs what is needed.

#![allow(clippy::expect_used)]

mod apps;
mod browser;
mod cached;
mod cluster;
mod costs;
mod logins;
mod nodes;
mod once;
mod process;
mod proxy;
#[allow(dead_code)] // Its own `main`, above all.
#[path = "../../examples/recipes/main.rs"]
mod recipes;
#[allow(dead_code)] // `tests/recipes` uses all of it.
#[path = "../recipes/server.rs"]
mod recipes_server;
mod redis;
#[path = "../shared/mod.rs"]
mod shared;
mod showcase;
mod sql;
mod together;
mod values;
