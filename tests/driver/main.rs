//! The driver: sequences of calls on a session, with everything that can happen
//! around them, against a model of the contract.
//!
//! Read `model.rs`, `writes.rs`, `renewals.rs`, `logins.rs`, `ends.rs`, `view.rs` and `kept.rs` for the contract, `scenario.rs` for what is tried.
//!
//! - `DRIVER_SEQUENCES=200000` runs so many random sequences for each storage (use
//!   a release build), and from 500000 on the sequences of three calls under every
//!   row of settings;
//! - `DRIVER_FIRST=10500000` begins the random sequences with this seed;
//! - `DRIVER_SEED=…` runs one sequence again, whatever its kind;
//! - `DRIVER_KEEP_GOING=1` prints each kind of deviation once, and does not stop
//!   at the first;
//! - `DRIVER_IGNORE=created,expires` leaves out what it names: value, answer,
//!   status, sent, upgrade, records, id, csrf, created, expires, lifetime, maxage.

#![allow(clippy::expect_used)]

mod app;
mod calls;
mod check;
mod choices;
mod directed;
mod drive;
mod ends;
mod generate;
mod kept;
mod logins;
mod meanwhile;
mod model;
mod preparation;
mod reads;
mod renewals;
mod replay;
mod run;
mod scenario;
#[path = "../shared/mod.rs"]
mod shared;
mod shrink;
mod storage;
mod told;
mod trace;
mod unsettled;
mod view;
mod world;
mod worlds;
mod writes;

use scenario::Place;

#[tokio::test]
async fn client_storage_agrees_with_the_contract() {
    drive::drive(Place::Client).await;
}

#[tokio::test]
async fn client_storage_with_revocation_agrees_with_the_contract() {
    drive::drive(Place::Revocable).await;
}

#[tokio::test]
async fn memory_agrees_with_the_contract() {
    drive::drive(Place::Memory).await;
}

#[tokio::test]
async fn a_directory_agrees_with_the_contract() {
    drive::drive(Place::Directory).await;
}
