//! An application, ready for the requests that are measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rocket::fairing::AdHoc;
use rocket::http::{Cookie, Header};
use rocket::local::asynchronous::{Client, LocalRequest};
use rocket::time::Duration;
use rocket::{Build, Rocket, tokio};

use crate::bare::bare;

/// An application and the bare one, and the browsers that send requests to both.
pub struct Scene {
    bare: Client,
    app: Arc<Client>,
    path: String,
    browsers: Vec<Browser>,
    /// Whose turn it is.
    next: AtomicUsize,
}

/// The cookies that a browser sends.
#[derive(Clone, Default)]
struct Browser {
    cookies: Vec<Cookie<'static>>,
    header: String,
}

/// The path of the bare route.
const BARE: &str = "/plain";

/// Whether the cookies of answers are known, so that [`cookie_stripper`] does its work.
static MEASURING: AtomicBool = AtomicBool::new(true);

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
    let mut first: Vec<_> = rocket.routes().filter(|route| route.uri == path).cloned().collect();
    for route in &mut first {
        route.rank = -20;
    }
    let rocket = rocket.mount("/", first).attach(cookie_stripper());
    Client::untracked(rocket).await.expect("a valid configuration")
}

impl Scene {
    /// Launches an application whose route `path` is measured.
    ///
    /// # Panics
    ///
    /// If Rocket refuses the launch.
    pub async fn new(app: Rocket<Build>, path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            bare: launch(bare(), BARE).await,
            app: Arc::new(launch(app, &path).await),
            path,
            browsers: Vec::new(),
            next: AtomicUsize::new(0),
        }
    }

    /// Adds a browser that sends some cookies of others. Measured requests come from all browsers
    /// in turn.
    pub fn add_browser(&mut self, other_cookies: usize) {
        let mut browser = Browser::default();
        browser.cookies.extend((0..other_cookies).map(other_cookie));
        browser.write_header();
        self.browsers.push(browser);
    }

    /// Adds a browser with the cookies of the one that another scene has added last.
    pub fn add_browser_of(&mut self, other: &Self) {
        self.browsers.extend(other.browsers.last().cloned());
    }

    /// A request without cookies, whose answer is dropped.
    ///
    /// # Panics
    ///
    /// If the answer is not 200.
    pub async fn ask(&self, path: &str) {
        let answer = self.app.get(path).dispatch().await;
        assert_eq!(answer.status().code, 200, "{path}");
    }

    /// A request of the browser that was added last, which then keeps the cookies of the answer.
    ///
    /// # Panics
    ///
    /// If there is no browser, or if the answer is not 200.
    pub async fn visit(&mut self, path: &str) {
        MEASURING.store(false, Ordering::Relaxed);
        let browser = self.browsers.last_mut().expect("a browser");
        let answer = browser.request(&self.app, path).dispatch().await;
        assert_eq!(answer.status().code, 200, "{path}");
        let answered: Vec<_> = answer.cookies().iter().cloned().collect();
        drop(answer);
        MEASURING.store(true, Ordering::Relaxed);
        browser.keep(answered);
    }

    /// A request of the first browser that gets no answer until the process ends.
    ///
    /// # Panics
    ///
    /// If there is no browser, or if there is an answer.
    pub async fn leave_open(&self, path: &'static str) {
        let (app, header) = (self.app.clone(), self.browsers[0].header.clone());
        let open = tokio::spawn(async move {
            app.get(path).header(Header::new("Cookie", header)).dispatch().await;
        });
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        assert!(!open.is_finished(), "{path} answers");
    }

    /// Sends requests to the measured route.
    pub async fn send(&self, requests: u64) {
        self.send_to(&self.app, &self.path, requests).await;
    }

    /// Sends requests to the bare route, with the same cookies.
    pub async fn send_bare(&self, requests: u64) {
        self.send_to(&self.bare, BARE, requests).await;
    }

    async fn send_to(&self, client: &Client, path: &str, requests: u64) {
        for _ in 0..requests {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let browser = &self.browsers[turn % self.browsers.len()];
            let answer = browser.request(client, path).dispatch().await;
            assert_eq!(answer.status().code, 200, "{path}");
        }
    }
}

impl Browser {
    fn keep(&mut self, answered: Vec<Cookie<'static>>) {
        for cookie in answered {
            self.cookies.retain(|kept| kept.name() != cookie.name());
            if cookie.max_age().is_none_or(Duration::is_positive) {
                self.cookies.push(Cookie::new(cookie.name().to_owned(), cookie.value().to_owned()));
            }
        }
        self.write_header();
    }

    fn write_header(&mut self) {
        let pairs: Vec<_> = self.cookies.iter().map(|kept| kept.encoded().to_string()).collect();
        self.header = pairs.join("; ");
    }

    /// A request as Rocket's `Request::from_hyp` makes it of one from a socket: its cookies
    /// in the jar, and the header as it came.
    fn request<'c>(&self, client: &'c Client, path: &'c str) -> LocalRequest<'c> {
        let request = client.get(path).cookies(self.cookies.iter().cloned());
        if self.header.is_empty() {
            return request;
        }
        request.header(Header::new("Cookie", self.header.clone()))
    }
}

/// As long as those of analytics.
fn other_cookie(number: usize) -> Cookie<'static> {
    Cookie::new(format!("other_{number:02}"), format!("GA1.2.{number:010}.1764160000"))
}
