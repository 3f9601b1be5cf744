//! The public contract, a file a chapter, through Rocket's local client.

#![allow(clippy::expect_used)]

mod absence;
mod authentication;
mod beside;
mod cached;
mod caching;
mod carts;
mod closures;
mod concurrency;
mod csrf;
mod csrf_key;
mod csrf_requests;
mod decoded;
mod delivery;
mod devices;
mod ends;
mod errors;
mod exactly_once;
mod faults;
mod first_use;
mod former_ids;
mod guard;
mod handles;
mod late;
mod launch;
mod lifetime;
mod logins;
mod lost_logins;
mod lost_moves;
mod meanwhile;
mod minting;
mod model;
mod moves;
mod once;
mod one_load;
mod parts;
mod renewal;
mod renewed_elsewhere;
mod responses;
mod revocation;
mod rotation;
mod several;
#[path = "../shared/mod.rs"]
mod shared;
mod support;
mod together;
mod tokens;
mod touch;
mod two_nodes;
mod unavailable;
mod unheld;
mod values;
