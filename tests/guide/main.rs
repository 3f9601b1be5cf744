//! What the pages of the guide say, a file a page.

#![allow(clippy::expect_used)]

mod changing;
mod confirming;
mod flash;
mod moving;
mod quickstart;
#[path = "../shared/mod.rs"]
mod shared;
mod streams;
mod support;
mod transports;
mod using;
