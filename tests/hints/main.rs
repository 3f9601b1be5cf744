//! What the log says of a deployment that loses sessions, and how often.

#![allow(clippy::expect_used)]

mod app;
mod clocks;
mod identities;
mod keys;
mod launches;
#[path = "../shared/log.rs"]
mod log;
mod owners;
mod paths;
mod scheme;
#[path = "../shared/mod.rs"]
mod shared;
mod sizes;
