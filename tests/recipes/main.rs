//! The recipes of `examples/recipes` on a real port, with the requests that each promises to survive.

#![allow(clippy::expect_used)]

mod csrf_cookie;
mod double_click;
mod double_submit;
mod next;
mod oauth;
mod password;
#[allow(dead_code)] // These have other examples to drive as well.
#[path = "../examples/server.rs"]
mod process;
mod program;
#[allow(dead_code)] // Its own `main`, above all.
#[path = "../../examples/recipes/main.rs"]
mod recipes;
mod rolling;
mod server;
mod token_refresh;
mod user;
