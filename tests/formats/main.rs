//! The native formats from outside: an independent reader opens what this crate
//! makes, and whatever is altered or in the wrong place is nobody.

#![allow(clippy::expect_used)]

mod altered;
mod definition;
#[path = "../shared/log.rs"]
mod log;
mod opened;
mod reader;
mod records;
