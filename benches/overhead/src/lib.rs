//! Requests in this process, and what callgrind counts of them. `benches/growth` uses it, too.

pub mod bare;
pub mod callgrind;
pub mod cost;
pub mod scene;
