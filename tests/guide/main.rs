//! What the pages of the guide say, a file a page.

#![allow(clippy::expect_used)]

mod changing;
#[path = "../shared/mod.rs"]
mod shared;
mod streams;
mod support;
