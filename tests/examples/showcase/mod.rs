//! The showcase as its visitors use it.

mod accounts;
mod admin;
mod api;
mod browser;
mod devices;
mod forms;
mod pages;

#[allow(dead_code)] // Its `main`.
#[path = "../../../examples/showcase/main.rs"]
mod app;
