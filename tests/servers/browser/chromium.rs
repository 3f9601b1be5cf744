//! A login in a real browser.

use std::time::Duration;

use rocket::figment::Figment;
use thirtyfour::common::capabilities::desiredcapabilities::PageLoadStrategy;
use thirtyfour::prelude::*;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::jar::PATIENCE;
use super::limits::one_session;
use super::site::{Site, in_memory};
use crate::process::Server;

/// No test takes longer.
const LONGEST: Duration = Duration::from_secs(180);

/// Chromium without a window.
pub struct Chromium {
    pub driver: WebDriver,
    port: u16,
}

/// Runs a test, which ends with its Chromium whatever becomes of it.
pub async fn with_driver(wait: PageLoadStrategy, test: impl AsyncFnOnce(WebDriver)) {
    let program = Server::start(|port, _| vec!["chromedriver".into(), format!("--port={port}")]);
    let driver = timeout(LONGEST, driver(program.port, wait)).await.expect("Chromium in time");
    let driver = driver.expect("Chromium starts; run scripts/test, which installs it");
    let all = driver.run_and_quit(async |driver| {
        test(driver).await;
        WebDriverResult::Ok(())
    });
    timeout(LONGEST, all).await.expect("nothing hangs").expect("Chromium ends");
}

async fn driver(port: u16, wait: PageLoadStrategy) -> WebDriverResult<WebDriver> {
    let mut wanted = DesiredCapabilities::chrome();
    wanted.set_page_load_strategy(wait)?;
    // Chromium has no sandbox for root, and containers have little shared memory.
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] {
        wanted.add_arg(argument)?;
    }
    let url = format!("http://127.0.0.1:{port}");
    WebDriver::builder(url, wanted).request_timeout(PATIENCE).connect().await
}

/// Runs a test of what serves a port.
pub async fn on_port(port: u16, test: impl AsyncFnOnce(&Chromium)) {
    // Nobody waits for a page that waits for the test.
    let wait = PageLoadStrategy::None;
    with_driver(wait, async |driver| test(&Chromium { driver, port }).await).await;
}

/// Runs a test of a site.
async fn in_chromium(more: Figment, test: impl AsyncFnOnce(&mut Site, &Chromium)) {
    let mut site = in_memory(more).await;
    let (port, site) = (site.port, &mut site);
    on_port(port, async |chromium| test(site, chromium).await).await;
}

impl Chromium {
    pub async fn open(&self, uri: &str) {
        self.driver.goto(format!("http://127.0.0.1:{}{uri}", self.port)).await.expect("opened");
    }

    /// A new user opens the login form in a browser without cookies. Gives her name.
    async fn login_page(&self, site: &mut Site, query: &str) -> String {
        self.driver.delete_all_cookies().await.expect("no cookies");
        let user = site.somebody();
        self.open(&format!("/login?user={user}&{query}")).await;
        user
    }

    /// The button of the form, as soon as it is there.
    pub async fn button(&self) -> WebElement {
        self.until("a button", async || self.driver.find(By::Css("button")).await.ok()).await
    }

    pub async fn click(&self) {
        self.button().await.click().await.expect("clicked");
    }

    /// Two clicks, so many milliseconds apart. A driver's own double click is too fast:
    /// the second form is sent in the place of the first one.
    pub async fn double_click(&self, apart: u32) {
        let button = self.button().await.to_json().expect("an element");
        let script = "const [button, apart] = arguments;
            button.click();
            setTimeout(() => button.click(), apart);";
        self.driver.execute(script, vec![button, apart.into()]).await.expect("clicked");
    }

    /// The page says this.
    pub async fn shows(&self, text: &str) {
        self.until(text, async || self.text().await.filter(|page| page == text)).await;
    }

    /// The page does not say this any more.
    async fn leaves(&self, text: &str) {
        self.until("a page", async || self.text().await.filter(|page| page != text)).await;
    }

    async fn text(&self) -> Option<String> {
        self.driver.find(By::Css("body")).await.ok()?.text().await.ok()
    }

    /// Whom the site takes the browser for.
    async fn is(&self, user: &str) {
        self.open("/").await;
        self.shows(user).await;
    }

    pub async fn until<T>(&self, what: &str, found: impl AsyncFn() -> Option<T>) -> T {
        let search = async {
            loop {
                match found().await {
                    Some(found) => return found,
                    None => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("{what} does not come"))
    }
}

/// Lets the requests go on one after the other.
async fn open(gates: impl IntoIterator<Item = oneshot::Sender<()>>) {
    for gate in gates {
        gate.send(()).expect("it still waits");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_a_double_click_in_chromium_logs_in() {
    let limits = [Figment::new(), one_session("end-oldest"), one_session("refuse")];
    for (more, limit) in limits.into_iter().zip([false, true, true]) {
        in_chromium(more, async |site, chromium| {
            // Under a limit, the login that is committed last ends the other one. Chromium
            // takes the answer to the second click.
            for reversed in if limit { &[false][..] } else { &[false, true] } {
                let user = chromium.login_page(site, "wait=true").await;
                chromium.double_click(100).await;
                let mut clicks = [site.waits().await, site.waits().await];
                if *reversed {
                    clicks.reverse();
                }
                open(clicks).await;
                chromium.shows(&user).await;
                chromium.is(&user).await;
            }
            // If the first answer comes before the second click, that one is refused.
            for apart in [0, 10, 30, 50] {
                let user = chromium.login_page(site, "wait=false").await;
                chromium.double_click(apart).await;
                chromium.leaves("Log in").await;
                chromium.is(&user).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_two_tabs_in_chromium_log_in() {
    in_chromium(Figment::new(), async |site, chromium| {
        let tabs = &chromium.driver;
        let first = tabs.window().await.expect("a tab");
        let second = tabs.new_tab().await.expect("another tab");
        for reversed in [false, true] {
            tabs.switch_to_window(first.clone()).await.expect("the first tab");
            let one = chromium.login_page(site, "wait=true").await;
            chromium.button().await;
            let other = site.somebody();
            tabs.switch_to_window(second.clone()).await.expect("the second tab");
            chromium.open(&format!("/login?user={other}&wait=true")).await;
            chromium.click().await;
            let of_other = site.waits().await;
            tabs.switch_to_window(first.clone()).await.expect("the first tab");
            chromium.click().await;
            let of_one = site.waits().await;
            let last = if reversed {
                open([of_one, of_other]).await;
                other
            } else {
                open([of_other, of_one]).await;
                one
            };
            chromium.is(&last).await;
            tabs.switch_to_window(second.clone()).await.expect("the second tab");
            chromium.is(&last).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_an_old_form_in_another_tab_of_chromium_does_not_log_out() {
    in_chromium(Figment::new(), async |site, chromium| {
        let tabs = &chromium.driver;
        let first = tabs.window().await.expect("a tab");
        let user = chromium.login_page(site, "wait=false").await;
        chromium.button().await;
        let second = tabs.new_tab().await.expect("another tab");
        tabs.switch_to_window(second.clone()).await.expect("the second tab");
        chromium.open("/login?user=late&wait=false").await;
        chromium.button().await;
        tabs.switch_to_window(first).await.expect("the first tab");
        chromium.click().await;
        chromium.shows(&user).await;
        tabs.switch_to_window(second).await.expect("the second tab");
        chromium.click().await;
        chromium.shows("The form is too old.\nLog in").await;
        chromium.is(&user).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_a_slow_image_in_chromium_does_not_log_out() {
    in_chromium(Figment::new(), async |site, chromium| {
        for does in ["read", "write", "begin", "set"] {
            for image_first in [false, true] {
                let user = chromium.login_page(site, &format!("wait=true&image={does}")).await;
                let image = site.waits().await;
                chromium.click().await;
                let click = site.waits().await;
                open(if image_first { [image, click] } else { [click, image] }).await;
                chromium.shows(&user).await;
                chromium.is(&user).await;
            }
        }
    })
    .await;
}
