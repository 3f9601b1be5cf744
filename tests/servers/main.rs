//! The storages on real servers: private instances on free ports, started and
//! killed by these tests. A server that is missing fails them; `scripts/test`
//! installs what is needed.

#![allow(clippy::expect_used)]

mod apps;
mod cached;
mod cluster;
mod costs;
mod nodes;
mod once;
mod process;
mod proxy;
mod redis;
mod sql;
mod values;
