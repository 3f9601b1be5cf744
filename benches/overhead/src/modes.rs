//! The table of what is measured.

use std::path::Path;

use rocket::{Build, Rocket};

use crate::apps;
#[cfg(feature = "peers")]
use crate::peers;

/// One kind of request.
pub struct Mode {
    pub name: &'static str,
    pub app: fn(&Path) -> Rocket<Build>,
    /// Requests of a browser before the one that is measured.
    pub before: &'static [&'static str],
    /// The request that is measured.
    pub path: &'static str,
    /// How many cookies of others the browser sends as well.
    pub other_cookies: usize,
    /// A request that stays open meanwhile.
    pub open: Option<&'static str>,
    pub aim: Aim,
}

/// The highest figures that issue 18 allows above the bare route.
#[derive(Clone, Copy)]
pub struct Aim {
    /// Instructions without hashes and ciphers.
    pub rest: Option<u64>,
    pub heap: Option<u64>,
    /// Wall clock, where the bare route is 1.
    pub wall: Option<f64>,
}

impl Aim {
    const NONE: Self = Self { rest: None, heap: None, wall: None };

    const fn rest(rest: u64) -> Self {
        Self { rest: Some(rest), ..Self::NONE }
    }

    const fn heap(self, heap: u64) -> Self {
        Self { heap: Some(heap), ..self }
    }

    const fn wall(self, wall: f64) -> Self {
        Self { wall: Some(wall), ..self }
    }
}

type App = fn(&Path) -> Rocket<Build>;

const fn mode(
    name: &'static str,
    app: App,
    before: &'static [&'static str],
    path: &'static str,
) -> Mode {
    Mode { name, app, before, path, other_cookies: 0, open: None, aim: Aim::NONE }
}

impl Mode {
    const fn aim(self, aim: Aim) -> Self {
        Self { aim, ..self }
    }
}

const START: &[&str] = &["/start"];
const START_THREE: &[&str] = &["/start/three"];
const START_LARGE: &[&str] = &["/start/large"];
/// A session that the client keeps, its end, and another one.
const START_AGAIN: &[&str] = &["/start", "/clear", "/start"];

/// This crate's modes.
#[rustfmt::skip] // one row each
pub const OURS: &[Mode] = &[
    mode("route", apps::memory, START, "/plain").aim(Aim::rest(350).heap(1)),
    Mode { open: Some("/hold"), ..mode("route-held", apps::memory, START, "/plain") }.aim(Aim::rest(350).heap(1)),
    mode("absent", apps::memory, &[], "/absent").aim(Aim::rest(3_500).heap(8).wall(1.1)),
    mode("memory-read", apps::memory, START, "/read").aim(Aim::rest(6_000).heap(10).wall(1.35)),
    mode("memory-write", apps::memory, START, "/write").aim(Aim::rest(10_000).heap(16).wall(1.5)),
    mode("encrypted-read", apps::encrypted, START, "/read").aim(Aim::rest(7_000).heap(10).wall(1.35)),
    mode("encrypted-write", apps::encrypted, START, "/write").aim(Aim::rest(17_000).heap(24).wall(2.4)),
    mode("encrypted-read-ended", apps::encrypted, START_AGAIN, "/read"),
    mode("three-read", apps::memory, START_THREE, "/read/three"),
    Mode { other_cookies: 29, ..mode("cookies-read", apps::memory, START, "/read") },
    mode("large-read", apps::memory, START_LARGE, "/read/large").aim(Aim::rest(8_000)),
    mode("large-write", apps::memory, START_LARGE, "/write/large").aim(Aim::rest(110_000)),
    mode("directory-read", apps::directory, START, "/read").aim(Aim::rest(22_000)),
    mode("directory-write", apps::directory, START, "/write").aim(Aim::rest(45_000)),
];

/// What others offer for the same.
#[cfg(not(feature = "peers"))]
pub const PEERS: &[Mode] = &[];
#[cfg(feature = "peers")]
#[rustfmt::skip] // one row each
pub const PEERS: &[Mode] = &[
    mode("private-read", peers::private, START, "/read"),
    mode("private-write", peers::private, START, "/write"),
    mode("flex-memory-read", peers::flex_memory, START, "/read"),
    mode("flex-memory-write", peers::flex_memory, START, "/write"),
    mode("flex-cookie-read", peers::flex_cookie, START, "/read"),
    mode("flex-cookie-write", peers::flex_cookie, START, "/write"),
    mode("store-read", peers::store, START, "/read"),
    mode("store-write", peers::store, START, "/write"),
];

/// Ours first.
pub fn all() -> impl Iterator<Item = &'static Mode> {
    OURS.iter().chain(PEERS)
}

pub fn named(name: &str) -> Option<&'static Mode> {
    all().find(|mode| mode.name == name)
}
