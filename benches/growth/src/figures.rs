//! The table of what is measured.

use crate::app::Place;
use crate::writers::Nodes;

/// How an axis is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
}

#[derive(Clone, Copy)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: &'static str,
    pub scale: Scale,
}

/// One plot.
pub struct Figure {
    /// The name of its file.
    pub name: &'static str,
    pub title: &'static str,
    pub x: Axis,
    pub y: Axis,
    pub xs: &'static [u64],
    pub lines: &'static [Line],
}

impl Figure {
    /// Where a line has points.
    pub fn xs_of(&self, line: usize) -> impl Iterator<Item = u64> + use<> {
        let up_to = self.lines[line].up_to;
        self.xs.iter().copied().filter(move |x| *x <= up_to)
    }
}

/// One kind of request.
#[derive(Clone, Copy)]
pub struct Line {
    pub name: &'static str,
    pub request: Request,
    /// Beyond this x, such a request is refused.
    pub up_to: u64,
}

/// What grows with x, and which request is measured then.
#[derive(Clone, Copy)]
pub enum Request {
    /// The bytes of the session's text, and the route.
    Payload(Place, &'static str),
    /// The session types of the request, and the route without their number.
    Types(Place, &'static str),
    /// The cookies of the header, with the sessions of so many types among them.
    Cookies(Place, u64),
    /// The sessions in memory, and the route.
    Live(&'static str),
    /// The same by the clock.
    Timed(&'static str),
    /// The sessions of an owner, and the route.
    Owner(&'static str),
    /// The concurrent writers: instructions of a write.
    Work(Nodes),
    /// The same: attempts of a write.
    Attempts(Nodes),
}

const fn line(name: &'static str, request: Request) -> Line {
    Line { name, request, up_to: u64::MAX }
}

const fn linear(label: &'static str) -> Axis {
    Axis { label, scale: Scale::Linear }
}

const fn log(label: &'static str) -> Axis {
    Axis { label, scale: Scale::Log }
}

const INSTRUCTIONS: &str = "instructions of a request above the bare route";
/// A cookie holds no more: 4,096 bytes with its name, encrypted and in base64.
const COOKIE: u64 = 2_800;
const LIVE: &[u64] = &[1_000, 10_000, 100_000, 1_000_000];
const WRITERS: &[u64] = &[1, 2, 4, 8, 16, 32, 64];

pub const FIGURES: &[Figure] = &[
    Figure {
        name: "payload",
        title: "Payload of the session",
        x: log("payload, bytes"),
        y: log(INSTRUCTIONS),
        xs: &[100, 300, 1_000, 2_800, 10_000, 30_000, 100_000],
        lines: &[
            line("memory, read", Request::Payload(Place::Memory, "/read/text")),
            line("memory, write", Request::Payload(Place::Memory, "/write/text")),
            Line {
                up_to: COOKIE,
                ..line("cookie, read", Request::Payload(Place::Cookie, "/read/text"))
            },
            Line {
                up_to: COOKIE,
                ..line("cookie, write", Request::Payload(Place::Cookie, "/write/text"))
            },
        ],
    },
    Figure {
        name: "types",
        title: "Session types in a request",
        x: linear("session types"),
        y: linear(INSTRUCTIONS),
        xs: &[1, 2, 4, 8],
        lines: &[
            line("memory, read", Request::Types(Place::Memory, "/read/types")),
            line("memory, write", Request::Types(Place::Memory, "/write/types")),
            line("cookie, read", Request::Types(Place::Cookie, "/read/types")),
            line("cookie, write", Request::Types(Place::Cookie, "/write/types")),
        ],
    },
    Figure {
        name: "cookies",
        title: "Cookies in the header",
        x: linear("cookies"),
        y: linear(INSTRUCTIONS),
        xs: &[1, 10, 30, 100],
        lines: &[
            line("memory, read", Request::Cookies(Place::Memory, 1)),
            line("cookie, read", Request::Cookies(Place::Cookie, 1)),
            line("memory, two types read", Request::Cookies(Place::Memory, 2)),
        ],
    },
    Figure {
        name: "live",
        title: "Sessions in memory",
        x: log("sessions"),
        y: linear(INSTRUCTIONS),
        xs: LIVE,
        lines: &[
            line("read", Request::Live("/read/types/1")),
            line("write", Request::Live("/write/types/1")),
            line("new session", Request::Live("/start/types/1")),
        ],
    },
    Figure {
        name: "live-time",
        title: "Sessions in memory, time",
        x: log("sessions"),
        y: linear("time above the bare route, with 1,000 sessions = 1"),
        xs: LIVE,
        lines: &[
            line("read", Request::Timed("/read/types/1")),
            line("write", Request::Timed("/write/types/1")),
        ],
    },
    Figure {
        name: "owner",
        title: "Sessions of one owner, in memory",
        x: log("sessions of the owner"),
        y: log(INSTRUCTIONS),
        xs: &[1, 10, 100, 1_000, 10_000],
        lines: &[
            line("login", Request::Owner("/login")),
            line("read", Request::Owner("/read/login")),
            line("list", Request::Owner("/devices")),
            line("revoke one", Request::Owner("/device")),
            line("revoke all", Request::Owner("/everywhere")),
        ],
    },
    Figure {
        name: "writers",
        title: "Concurrent writers on one session, attempts",
        x: log("writers at the same moment"),
        y: log("attempts of a write"),
        xs: WRITERS,
        lines: &[
            line("one node", Request::Attempts(Nodes::One)),
            line("a node each, in step", Request::Attempts(Nodes::Each)),
            line("a node each, Redis", Request::Attempts(Nodes::Redis)),
            line("a node each, PostgreSQL", Request::Attempts(Nodes::Postgres)),
        ],
    },
    Figure {
        name: "writers-work",
        title: "Concurrent writers on one session, work",
        x: log("writers at the same moment"),
        y: log("instructions of a write above the bare route"),
        xs: WRITERS,
        lines: &[
            line("one node", Request::Work(Nodes::One)),
            line("a node each, in step", Request::Work(Nodes::Each)),
        ],
    },
];
