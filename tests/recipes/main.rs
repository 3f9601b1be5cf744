//! The recipes of `examples/recipes` on a real port, with the requests that each promises to survive.

#![allow(clippy::expect_used)]

mod double_click;
mod next;
mod password;
#[allow(dead_code)] // Its own `main`, above all.
#[path = "../../examples/recipes/main.rs"]
mod recipes;
mod server;
mod user;
