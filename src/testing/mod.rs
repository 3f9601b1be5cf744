//! For tests of applications and of storages (feature `testing`).
//!
//! - [`storage`]: does a storage keep its promises, and what does an
//!   application do when its storage fails?

pub mod storage;
