//! Ways around the core that were tried from outside. Each test says the right
//! outcome: unlucky schedules of storages, tasks, fairings and catchers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]

mod app;
mod ends;
mod failures;
mod hook;
mod saves;
#[path = "../shared/mod.rs"]
mod shared;
mod tokens;
mod told;
mod touches;
