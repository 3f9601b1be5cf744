//! A value reads back as it was, or is refused and the old one stays whole, on every
//! engine. `tests/values` has every kind of value.

use std::collections::BTreeMap;

use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::{State, get, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::nodes::{SECRET, configured};
use crate::redis::{redis, url};
use crate::sql::{mariadb, mariadb_url, postgres, postgres_url};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    double: f64,
    maybe: Option<f64>,
    text: String,
    bytes: Vec<u8>,
    counts: BTreeMap<i64, u64>,
}

impl SessionData for User {
    const NAME: &'static str = "user";
}

type Slot = Mutex<Option<User>>;

#[get("/set")]
async fn set(session: Session<User>, slot: &State<Slot>) {
    session.set(slot.lock().await.take().expect("a value"));
}

#[get("/update")]
fn update(session: Session<User>) {
    session.update(|user| *user.counts.entry(0).or_default() += 1);
}

#[get("/get")]
async fn get_it(session: Session<User>, slot: &State<Slot>) {
    *slot.lock().await = session.get().map(|user| User::clone(&user));
}

fn values() -> Vec<User> {
    let doubles =
        [-18_436.792_481_207_638, 6.292_097_815_603_389e-100, f64::MIN_POSITIVE, -0.0, 1e300];
    let value = |double| User {
        double,
        maybe: Some(double),
        text: "quotes \" ' \\, NUL \0, ключ, 🗝".into(),
        bytes: (0..=255).collect(),
        counts: BTreeMap::from([(i64::MIN, u64::MAX), (0, 0)]),
    };
    doubles.map(value).to_vec()
}

async fn reads_back(figment: Figment) {
    let figment = figment.merge(("sessions.app", "values"));
    let rocket = rocket::custom(figment)
        .attach(Sessions::fairing())
        .manage(Slot::default())
        .mount("/", routes![set, update, get_it]);
    let client = Client::untracked(rocket).await.expect("a valid configuration");
    let slot = client.rocket().state::<Slot>().expect("managed");
    for mut value in values() {
        *slot.lock().await = Some(value.clone());
        let response = client.get("/set").dispatch().await;
        let cookie = response.headers().get_one("Set-Cookie").expect("a token").to_owned();
        let cookie = cookie.split(';').next().expect("a pair").to_owned();
        let ask = async |uri: &'static str| {
            let request = client.get(uri).header(Header::new("Cookie", cookie.clone()));
            request.dispatch().await.status()
        };
        for _ in 0..20 {
            assert_eq!(ask("/update").await, Status::Ok);
            *value.counts.entry(0).or_default() += 1;
        }
        for refused in [f64::NAN, f64::INFINITY] {
            *slot.lock().await = Some(User { maybe: Some(refused), ..User::default() });
            assert_eq!(ask("/set").await, Status::InternalServerError);
        }
        assert_eq!(ask("/get").await, Status::Ok);
        let found = slot.lock().await.take();
        assert_eq!(found, Some(value.clone()));
        let signs = |user: User| (user.double.to_bits(), user.maybe.map(f64::to_bits));
        assert_eq!(found.map(signs), Some(signs(value)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r1_a_value_reads_back_as_it_was_or_is_refused_on_every_engine() {
    let server = redis(&[]);
    reads_back(configured("redis", url(server.port))).await;
    let server = postgres(&[]);
    reads_back(configured("postgres", postgres_url(&server))).await;
    let server = mariadb(&[]);
    reads_back(configured("mysql", mariadb_url(&server))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = Figment::from(rocket::Config::default())
        .select("release")
        .merge(("log_level", "off"))
        .merge(("sessions.secret", SECRET))
        .merge(("sessions.user.storage.type", "sqlite"))
        .merge(("sessions.user.storage.path", folder.path().join("sessions.db")));
    reads_back(sqlite).await;
}
