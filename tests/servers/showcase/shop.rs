//! The showcase as a process, small sites beside it, and a browser.

use std::time::{Duration, Instant};

use rocket::figment::Figment;
use rocket::{Build, Rocket, Shutdown};
use serde_json::Value;
use thirtyfour::common::capabilities::desiredcapabilities::PageLoadStrategy;
use thirtyfour::prelude::*;
use tokio::time::sleep;

use crate::browser::chromium::with_driver;
use crate::browser::jar::PATIENCE;
use crate::process::{Server, free_port};

/// The showcase on a port of its own.
pub struct Shop(Server);

impl Shop {
    /// Starts it with these variables.
    pub fn start(variables: &[String]) -> Self {
        let program = crate::cluster::program().with_file_name("showcase");
        Self(Server::start(|port, _| {
            let own = [format!("ROCKET_PORT={port}"), "ROCKET_LOG_LEVEL=off".to_owned()];
            let variables = own.iter().chain(variables).cloned();
            let program = program.to_string_lossy().into_owned();
            ["env".to_owned()].into_iter().chain(variables).chain([program]).collect()
        }))
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// An address on `localhost`.
    pub fn at(&self, path: &str) -> String {
        self.on("localhost", path)
    }

    /// An address on a host below `localhost`, which Chromium takes for this machine.
    pub fn on(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port())
    }
}

/// A site of the test's own.
pub struct Site {
    pub port: u16,
    shutdown: Shutdown,
}

impl Site {
    pub async fn launch(
        figment: Figment,
        build: impl FnOnce(Rocket<Build>) -> Rocket<Build>,
    ) -> Self {
        let port = free_port();
        let figment = Figment::from(rocket::Config::default())
            .merge(("port", port))
            .merge(("log_level", "off"))
            .merge(("shutdown.ctrlc", false))
            .merge(("shutdown.grace", 0))
            .merge(("shutdown.mercy", 0))
            .merge(figment)
            .select("debug");
        let rocket = build(rocket::custom(figment)).ignite().await.expect("a configuration");
        let shutdown = rocket.shutdown();
        tokio::spawn(rocket.launch());
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(started.elapsed() < PATIENCE, "the site does not answer");
            sleep(Duration::from_millis(5)).await;
        }
        Self { port, shutdown }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shutdown.clone().notify();
    }
}

/// A Chromium with a profile of its own.
pub struct Browser(WebDriver);

/// Runs a test in a browser.
pub async fn in_browser(test: impl AsyncFnOnce(&Browser)) {
    with_driver(PageLoadStrategy::Normal, async |driver| test(&Browser(driver)).await).await;
}

impl Browser {
    pub async fn open(&self, address: &str) {
        self.0.goto(address).await.expect("opened");
    }

    pub async fn back(&self) {
        self.0.back().await.expect("a page before");
    }

    /// Writes into the field with this name.
    pub async fn write(&self, field: &str, text: &str) {
        let field = self.0.find(By::Name(field.to_owned())).await.expect("the field");
        field.send_keys(text).await.expect("written");
    }

    /// Clicks on the first that this selector finds.
    pub async fn click(&self, selector: &str) {
        self.element(selector).await.click().await.expect("clicked");
    }

    /// Presses these keys, wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        self.0.action_chain().send_keys(keys).perform().await.expect("pressed");
    }

    /// Makes the window as narrow as a phone.
    pub async fn narrow(&self, width: u32) {
        self.0.set_window_rect(0, 0, width, 800).await.expect("resized");
    }

    pub async fn element(&self, selector: &str) -> WebElement {
        self.0.find(By::Css(selector.to_owned())).await.expect(selector)
    }

    pub async fn count(&self, selector: &str) -> usize {
        self.0.find_all(By::Css(selector.to_owned())).await.expect(selector).len()
    }

    pub async fn text(&self) -> String {
        // Between two pages there is none.
        let Ok(body) = self.0.find(By::Css("body")).await else { return String::new() };
        body.text().await.unwrap_or_default()
    }

    /// Waits for a page with this text.
    pub async fn shows(&self, text: &str) {
        let started = Instant::now();
        while !self.text().await.contains(text) {
            assert!(started.elapsed() < PATIENCE, "no {text:?} in {}", self.text().await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a script of the page returns.
    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        let returned = self.0.execute(script, arguments).await.expect("it runs");
        returned.json().clone()
    }

    /// The cookie with this name, if a request to the open page would carry it.
    pub async fn cookie(&self, name: &str) -> Option<Cookie> {
        let cookies = self.0.get_all_cookies().await.expect("cookies");
        cookies.into_iter().find(|cookie| cookie.name == name)
    }

    /// A user with the password `swordfish` registers or logs in at this address.
    pub async fn enter(&self, address: &str, name: &str) {
        self.enter_with(address, name, "swordfish").await;
    }

    pub async fn enter_with(&self, address: &str, name: &str, password: &str) {
        self.open(address).await;
        self.write("name", name).await;
        self.write("password", password).await;
        self.click("main button").await;
        self.shows("You are logged in.").await;
    }
}
