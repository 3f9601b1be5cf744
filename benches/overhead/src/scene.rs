//! A mode, ready for its requests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rocket::fairing::AdHoc;
use rocket::http::{Cookie, Header};
use rocket::local::asynchronous::{Client, LocalRequest};
use rocket::time::Duration;
use rocket::{Build, Rocket, tokio};

use crate::apps;
use crate::modes::Mode;

/// The mode's application and the bare one, and the cookies that a browser sends to both.
pub struct Scene {
    bare: Client,
    app: Arc<Client>,
    path: &'static str,
    cookies: Vec<Cookie<'static>>,
    header: String,
}

/// The path of the bare route.
const BARE: &str = "/plain";

/// Whether the cookies of answers are known, so that [`cookie_stripper`] does its work.
static MEASURING: AtomicBool = AtomicBool::new(false);

/// Takes the cookies off an answer before the test client parses them. It is the last
/// fairing of every application, the bare one included.
fn cookie_stripper() -> AdHoc {
    AdHoc::on_response("Cookie stripper", |_, response| {
        Box::pin(async move {
            if MEASURING.load(Ordering::Relaxed) {
                response.remove_header("Set-Cookie");
            }
        })
    })
}

/// Launches an application whose router meets the route of `path` first. Otherwise a request
/// would cost more in an application that has more routes.
async fn launch(rocket: Rocket<Build>, path: &str) -> Client {
    let mut route = rocket.routes().find(|route| route.uri == path).expect("a route").clone();
    route.rank = -20;
    let rocket = rocket.mount("/", [route]).attach(cookie_stripper());
    Client::untracked(rocket).await.expect("a valid configuration")
}

impl Scene {
    /// Launches the applications and sends what comes before the measured request.
    pub async fn new(mode: &Mode, folder: &Path) -> Self {
        let mut scene = Self {
            bare: launch(apps::bare(), BARE).await,
            app: Arc::new(launch((mode.app)(folder), mode.path).await),
            path: mode.path,
            cookies: (0..mode.other_cookies).map(other_cookie).collect(),
            header: String::new(),
        };
        MEASURING.store(false, Ordering::Relaxed);
        for path in mode.before {
            scene.visit(path).await;
        }
        MEASURING.store(true, Ordering::Relaxed);
        if let Some(path) = mode.open {
            scene.leave_open(path).await;
        }
        scene
    }

    /// A request of a browser, which then keeps the cookies of the answer.
    async fn visit(&mut self, path: &'static str) {
        let answer = self.request(&self.app, path).dispatch().await;
        assert_eq!(answer.status().code, 200, "{path}");
        let answered: Vec<_> = answer.cookies().iter().cloned().collect();
        drop(answer);
        for cookie in answered {
            self.cookies.retain(|kept| kept.name() != cookie.name());
            if cookie.max_age().is_none_or(Duration::is_positive) {
                self.cookies.push(Cookie::new(cookie.name().to_owned(), cookie.value().to_owned()));
            }
        }
        let pairs: Vec<_> = self.cookies.iter().map(|kept| kept.encoded().to_string()).collect();
        self.header = pairs.join("; ");
    }

    /// A request that gets no answer until the process ends.
    async fn leave_open(&self, path: &'static str) {
        let (app, header) = (self.app.clone(), Header::new("Cookie", self.header.clone()));
        let open = tokio::spawn(async move {
            app.get(path).header(header).dispatch().await;
        });
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        assert!(!open.is_finished(), "{path} answers");
    }

    /// A request as Rocket's `Request::from_hyp` makes it of one from a socket: its cookies
    /// in the jar, and the header as it came.
    fn request<'c>(&self, client: &'c Client, path: &'static str) -> LocalRequest<'c> {
        let request = client.get(path).cookies(self.cookies.iter().cloned());
        if self.header.is_empty() {
            return request;
        }
        request.header(Header::new("Cookie", self.header.clone()))
    }

    /// Sends requests of the mode.
    pub async fn send(&self, requests: u64) {
        self.send_to(&self.app, self.path, requests).await;
    }

    /// Sends requests to the bare route, with the same cookies.
    pub async fn send_bare(&self, requests: u64) {
        self.send_to(&self.bare, BARE, requests).await;
    }

    async fn send_to(&self, client: &Client, path: &'static str, requests: u64) {
        for _ in 0..requests {
            let answer = self.request(client, path).dispatch().await;
            assert_eq!(answer.status().code, 200, "{path}");
        }
    }
}

/// As long as those of analytics.
fn other_cookie(number: usize) -> Cookie<'static> {
    Cookie::new(format!("other_{number:02}"), format!("GA1.2.{number:010}.1764160000"))
}
