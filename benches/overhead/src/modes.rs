//! The table of what is measured.

use std::path::Path;

use overhead::scene::Scene;
use rocket::{Build, Rocket};

use crate::apps;
#[cfg(feature = "peers")]
use crate::{peers, prototype};

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

/// The highest figures above the bare route that a mode is meant to have; empty where there
/// is no such figure.
#[derive(Clone, Copy)]
pub struct Aim {
    /// Instructions without those of hashes and ciphers.
    pub rest: &'static str,
    pub heap: &'static str,
    /// Where the bare route takes 1.
    pub time: &'static str,
}

type App = fn(&Path) -> Rocket<Build>;

const fn mode(
    name: &'static str,
    app: App,
    before: &'static [&'static str],
    path: &'static str,
) -> Mode {
    Mode { name, app, before, path, other_cookies: 0, open: None, aim: aims("", "", "") }
}

const fn aims(rest: &'static str, heap: &'static str, time: &'static str) -> Aim {
    Aim { rest, heap, time }
}

impl Mode {
    /// Launches the application and sends what comes before the measured request.
    pub async fn scene(&self, folder: &Path) -> Scene {
        let mut scene = Scene::new((self.app)(folder), self.path).await;
        scene.add_browser(self.other_cookies);
        for path in self.before {
            scene.visit(path).await;
        }
        if let Some(path) = self.open {
            scene.leave_open(path).await;
        }
        scene
    }

    const fn aim(self, rest: &'static str, heap: &'static str, time: &'static str) -> Self {
        Self { aim: aims(rest, heap, time), ..self }
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
    mode("route", apps::memory, START, "/plain").aim("350", "1", ""),
    Mode { open: Some("/hold"), ..mode("route-held", apps::memory, START, "/plain") }.aim("350", "1", ""),
    mode("absent", apps::memory, &[], "/absent").aim("3,500", "8", "1.1"),
    mode("memory-read", apps::memory, START, "/read").aim("6,000", "10", "1.35"),
    mode("memory-write", apps::memory, START, "/write").aim("10,000", "16", "1.5"),
    mode("encrypted-read", apps::encrypted, START, "/read").aim("7,000", "10", "1.35"),
    mode("encrypted-write", apps::encrypted, START, "/write").aim("17,000", "24", "2.4"),
    mode("encrypted-read-ended", apps::encrypted, START_AGAIN, "/read"),
    mode("three-read", apps::memory, START_THREE, "/read/three").aim("3 × memory-read", "", ""),
    Mode { other_cookies: 29, ..mode("cookies-read", apps::memory, START, "/read") }.aim("memory-read + 2,000", "", ""),
    mode("large-read", apps::memory, START_LARGE, "/read/large").aim("8,000", "", ""),
    mode("large-write", apps::memory, START_LARGE, "/write/large").aim("110,000", "", ""),
    mode("directory-read", apps::directory, START, "/read").aim("22,000", "", ""),
    mode("directory-write", apps::directory, START, "/write").aim("45,000", "", ""),
];

/// What others offer for the same.
#[cfg(not(feature = "peers"))]
pub const PEERS: &[Mode] = &[];
#[cfg(feature = "peers")]
#[rustfmt::skip] // one row each
pub const PEERS: &[Mode] = &[
    mode("prototype-read", prototype::app, START, "/read"),
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
