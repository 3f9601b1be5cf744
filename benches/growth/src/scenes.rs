//! The application and its browsers, made ready for the requests of a line.

use std::time::{Duration, SystemTime};

use overhead::scene::Scene;
use rocket_typed_sessions::storage::{
    Create, Memory, OwnerGuard, Record, SessionStorage, StorageKey, Timestamp, Version,
};

use crate::app::{self, Place};
use crate::figures::Request;

/// The sessions in memory whose browsers send requests, counted. By the clock there are more, so
/// that each session lies where no other request has been lately.
const BROWSERS: u64 = 100;
const BROWSERS_BY_THE_CLOCK: u64 = 20_000;

/// How many requests find caches empty, and how many are counted then.
#[derive(Clone, Copy)]
pub struct Requests {
    pub warm_up: u64,
    pub counted: u64,
}

impl Requests {
    pub fn of(request: Request, x: u64) -> Self {
        let (warm_up, counted) = match request {
            Request::Owner(_) if x > 100 => (1, 2),
            Request::Owner(_) | Request::Work(_) => (5, 20),
            _ => (20, 200),
        };
        Self { warm_up, counted }
    }
}

/// What is ready for a request of the line at `x`.
pub async fn scene(request: Request, x: u64) -> Scene {
    let browsers = |most| usize::try_from(x.min(most)).expect("small");
    match request {
        Request::Payload(place, path) => {
            begun(place, path, 0, &format!("/start/text/{}", payload(x))).await
        }
        Request::Types(place, path) => {
            begun(place, &format!("{path}/{x}"), 0, &format!("/start/types/{x}")).await
        }
        Request::Cookies(place, types) => {
            let others = usize::try_from(x.saturating_sub(types)).expect("small");
            let path = format!("/read/types/{types}");
            begun(place, &path, others, &format!("/start/types/{types}")).await
        }
        Request::Live(path) => live(path, x, browsers(BROWSERS)).await,
        Request::Timed(path) => live(path, x, browsers(BROWSERS_BY_THE_CLOCK)).await,
        Request::Owner(path) => owned(path, x, Requests::of(request, x)).await,
        Request::Work(_) | Request::Attempts(_) => unreachable!("they have no scene"),
    }
}

/// The text of a payload of that many bytes: `{"count":1000000,"text":"…"}`.
fn payload(bytes: u64) -> u64 {
    bytes - 27
}

/// A browser that has its session.
async fn begun(place: Place, path: &str, other_cookies: usize, begin: &str) -> Scene {
    let mut scene = Scene::new(place.app(), path).await;
    scene.add_browser(other_cookies);
    scene.visit(begin).await;
    scene
}

/// Many sessions in memory. Those of the browsers are spread evenly among them.
async fn live(path: &str, sessions: u64, browsers: usize) -> Scene {
    let memory = Memory::new(2_000_000);
    let mut scene = Scene::new(app::on(memory.clone()), path).await;
    let each = sessions / browsers as u64;
    for number in 0..sessions {
        if number % each == 0 {
            scene.add_browser(0);
            if path.starts_with("/start") {
                continue; // it begins its session then
            }
            scene.visit("/start/types/1").await;
        } else {
            create(&memory, number).await;
        }
    }
    scene
}

/// Puts a session into the storage that nobody asks for.
async fn create(memory: &Memory, number: u64) {
    let now = Timestamp::from(SystemTime::now());
    let record = Record {
        version: Version::from_u64(1),
        payload: [7; 100].into(),
        owner: None,
        created: now,
        last_seen: now,
        expires: now.after(Duration::from_hours(1)),
    };
    let key = StorageKey::from_bytes(spread(number));
    let created = memory.create(&key, record, OwnerGuard::default(), now).await;
    assert_eq!(created.expect("memory answers"), Create::Created);
}

/// A key as evenly spread as a hash.
fn spread(number: u64) -> [u8; 32] {
    let mut key = [0; 32];
    for (place, part) in (1_u64..).zip(key.chunks_mut(8)) {
        let mut word = number.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        part.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    key
}

/// Owners with so many sessions each: one owner whose browser asks, or one for each request.
async fn owned(path: &str, sessions: u64, Requests { warm_up, counted }: Requests) -> Scene {
    let mut scene = Scene::new(Place::Memory.app(), path).await;
    let asks = ["/read/login", "/devices"].contains(&path);
    let owners = if asks { 1 } else { warm_up + counted };
    scene.add_browser(0);
    if asks {
        scene.visit("/login/0").await;
    }
    for owner in 0..owners {
        for _ in u64::from(asks)..sessions {
            scene.ask(&format!("/login/{owner}")).await;
        }
    }
    if path == "/device" {
        scene.ask(&format!("/handles/{owners}")).await;
    }
    scene
}
