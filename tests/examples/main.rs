//! The examples as their users run them: real processes, real sockets, curl
//! with a cookie jar, `kill -9`.

#![allow(clippy::expect_used)]

mod configuration;
mod logins;
mod server;
mod sessions;
mod showcase;
mod storages;
