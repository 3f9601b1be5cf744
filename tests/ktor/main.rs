//! Ktor's formats through a whole application: live sessions shared with a Ktor
//! service, and taken over from one.

#![allow(clippy::expect_used)]

mod absence;
mod app;
mod cookies;
mod csrf;
mod files;
mod launch;
mod migration;
mod races;
#[path = "../shared/mod.rs"]
mod shared;
mod texts;
