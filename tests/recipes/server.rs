//! A server with the recipes, and browsers that ask it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::{Build, Rocket, Shutdown};
use rocket_typed_sessions::Sessions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::recipes;

/// So long a browser waits.
const LONGEST: Duration = Duration::from_secs(30);

/// A running server, which is shut down when dropped.
pub struct Server {
    pub port: u16,
    shutdown: Option<Shutdown>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.take().into_iter().for_each(Shutdown::notify);
    }
}

/// The configuration of the recipes, quiet and on a port of its own.
pub fn figment() -> Figment {
    recipes::figment()
        .merge(("port", 0))
        .merge(("log_level", "off"))
        .merge(("shutdown.ctrlc", false))
        .merge(("shutdown.grace", 0))
        .merge(("shutdown.mercy", 0))
}

/// All recipes, and a part of the application's state.
pub async fn start<S: Clone + Send + Sync + 'static>() -> (Server, S) {
    serve(recipes::build(figment(), Sessions::fairing())).await
}

/// An application, and a part of its state.
pub async fn serve<S: Clone + Send + Sync + 'static>(rocket: Rocket<Build>) -> (Server, S) {
    let (ready, launched) = oneshot::channel();
    let ready = Mutex::new(Some(ready));
    let tell = AdHoc::on_liftoff("ready", move |rocket| {
        Box::pin(async move {
            let ready = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
            let sent = ready.map(|ready| ready.send((rocket.config().port, rocket.shutdown())));
            assert!(sent.is_some_and(|sent| sent.is_ok()));
        })
    });
    let rocket = rocket.attach(tell).ignite().await.expect("a valid configuration");
    let state = rocket.state::<S>().expect("this state").clone();
    tokio::spawn(rocket.launch());
    let (port, shutdown) = launched.await.expect("a launch");
    (Server { port, shutdown: Some(shutdown) }, state)
}

/// An answer as it came over the socket.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers(name).next().map(str::to_owned)
    }

    pub fn location(&self) -> String {
        self.header("Location").unwrap_or_default()
    }

    /// The value of the first field of this name on the page.
    pub fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let value = self.body.split(&start).nth(1).and_then(|rest| rest.split('"').next());
        value.unwrap_or_else(|| panic!("{name}: {}", self.body)).replace("&amp;", "&")
    }
}

/// A browser: it keeps cookies. A clone is the same browser with the cookies of
/// this moment.
#[derive(Clone)]
pub struct Browser {
    port: u16,
    jar: BTreeMap<String, String>,
}

impl Server {
    pub fn browser(&self) -> Browser {
        Browser { port: self.port, jar: BTreeMap::new() }
    }
}

impl Browser {
    /// The same browser, which asks another node.
    pub fn at(&self, node: &Server) -> Self {
        Self { port: node.port, ..self.clone() }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = self.send(&format!("GET {path}"), &[], "").await;
        self.keep(&answer);
        answer
    }

    pub async fn post(&mut self, path: &str, form: &str) -> Answer {
        let answer = self.send_form(path, form).await;
        self.keep(&answer);
        answer
    }

    /// Sends a form, and leaves the cookies of the answer alone.
    pub async fn send_form(&self, path: &str, form: &str) -> Answer {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.send(&format!("POST {path}"), &[kind], form).await
    }

    /// Sends a request, and leaves the cookies of the answer alone.
    pub async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a server");
        let mut head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let cookies: Vec<_> =
            self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let length = body.len().to_string();
        let own = [("Cookie", cookies.as_str()), ("Content-Length", length.as_str())];
        for (name, value) in headers.iter().chain(&own).filter(|(_, value)| !value.is_empty()) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        socket.write_all(format!("{head}\r\n{body}").as_bytes()).await.expect("a server");
        let mut text = String::new();
        let answer = timeout(LONGEST, socket.read_to_string(&mut text));
        answer.await.expect("an answer in time").expect("an answer");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() }
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    /// Gives it a cookie, or takes one away.
    pub fn plant(&mut self, name: &str, value: Option<&str>) {
        self.jar.remove(name);
        self.jar.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// Keeps the cookies of an answer.
    pub fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers("Set-Cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("name and value");
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A text as a form's value.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"))
}
