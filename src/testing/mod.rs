//! For tests of applications and of storages (feature `testing`).
//!
//! - [`SessionRequest`]: a request that carries a session; [`SessionResponse`]:
//!   the session that a response leaves;
//! - [`Clock`]: a clock that the test moves;
//! - [`storage`]: does a storage keep its promises, and what does an
//!   application do when its storage fails?

mod client;
mod clock;
pub mod storage;

pub use client::{AsyncSessionResponse, SessionRequest, SessionResponse};
pub use clock::Clock;
