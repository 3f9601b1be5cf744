//! For tests of applications and of storages (feature `testing`).
//!
//! - [`Clock`]: a clock that the test moves;
//! - [`storage`]: does a storage keep its promises, and what does an
//!   application do when its storage fails?

mod clock;
pub mod storage;

pub use clock::Clock;
