//! Somebody has planted the cookie of an anonymous session in a victim's browser, who then
//! logs in.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rocket::figment::Figment;
use sha2::Sha256;

use super::jar::Browser;
use super::limits::one_session;
use super::orders::{Ask, Request, Tab, orders};
use super::site::{Site, Sites};

/// What the attacker can do with the session that he has planted.
const DOES: [&str; 11] = [
    "read",
    "write",
    "save",
    "begin",
    "set",
    "touch",
    "renew",
    "clear",
    "clear-and-set",
    "revoke",
    "login",
];

/// The attacker, the cookies that he has planted, and the victim.
struct Attack {
    attacker: Tab,
    planted: Browser,
    victim: Tab,
}

impl Attack {
    async fn prepare(site: &mut Site) -> Self {
        let attacker = Tab::open(site).await;
        let planted = attacker.browser.clone();
        let victim = Tab::of(planted.clone(), site).await;
        Self { attacker, planted, victim }
    }

    /// His request is held open, and goes on when this order says. He keeps his cookies,
    /// and she hers. In the end she is logged in, and he is not she. Only if he has renewed
    /// or ended the session before she sends the form, it is refused, and a later one logs
    /// in.
    async fn run(&mut self, site: &mut Site, does: &'static str, order: &[usize]) {
        let mut requests = [Request::new(Ask::Act(does)), Request::new(Ask::Login(1))];
        for (now, at) in order.iter().enumerate() {
            let tab = if *at == 0 { &mut self.attacker } else { &mut self.victim };
            requests[*at].step(now, site, tab, false).await;
        }
        let [attack, login] = &requests;
        let case = format!("{}, {does}, {order:?}: {requests:#?}", site.name);
        let victim = &mut self.victim;
        if !login.logs_in() {
            let worthless = ["renew", "clear", "clear-and-set", "revoke"].contains(&does);
            assert!(worthless && attack.answered < login.sent, "{case}");
            // So long whoever shows an id from before a `renew` begins nothing, not even a
            // form.
            site.clock.advance(Duration::from_secs(121));
            assert_eq!(victim.log_in().await, victim.name(1), "{case}");
        }
        is_logged_in_alone(victim, &mut self.attacker.browser, does, &case).await;
    }

    /// He tries everything again, with what he has planted and with what he has got.
    async fn goes_on(mut self, id: &str) {
        for mut browser in [self.planted.clone(), self.attacker.browser] {
            for does in DOES {
                browser.open(&format!("/act/{does}?wait=false")).await;
            }
        }
        self.planted.open(&format!("/end/{id}")).await;
        assert_eq!(self.victim.browser.who().await, self.victim.name(1));
    }
}

/// The victim's session is hers, and nothing that the attacker wrote is in it.
async fn is_logged_in_alone(victim: &mut Tab, attacker: &mut Browser, does: &str, case: &str) {
    let name = if does == "login" { "mallory" } else { "nobody" };
    assert!(attacker.who().await.starts_with(name), "{case}");
    assert_eq!(victim.browser.who().await, victim.name(1), "{case}");
    let form = victim.browser.form("/transfer").await;
    let moved = victim.browser.submit(&form, "amount=7").answer().await;
    assert_eq!((moved.status, &*moved.body), (200, "7 1"), "{case}");
}

async fn attacks(more: Figment) {
    let mut sites = Sites::new(more).await;
    for site in &mut sites.all {
        for does in DOES {
            for order in orders(2, 0) {
                Attack::prepare(site).await.run(site, does, &order).await;
            }
            let mut attack = Attack::prepare(site).await;
            let id = attack.planted.open("/id").await.body;
            attack.run(site, does, &[0, 1, 1, 0, 1, 0]).await;
            attack.goes_on(&id).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_whoever_has_planted_a_cookie_cannot_end_or_change_the_login() {
    attacks(Figment::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_a_login_over_a_planted_cookie_takes_the_place_of_nobody_elses() {
    attacks(one_session("refuse")).await;
}

/// What would be the token, were it made of the id alone.
fn forged(id: &str, generation: u32) -> String {
    let id = URL_SAFE_NO_PAD.decode(id).expect("an id");
    let mut mac = Hmac::<Sha256>::new_from_slice(&id[..16]).expect("any key will do");
    mac.update(b"rsess1/csrf/");
    mac.update(&generation.to_be_bytes());
    mac.update(b"visitor");
    URL_SAFE_NO_PAD.encode([&[0; 16], &mac.finalize().into_bytes()[..16]].concat())
}

/// Every CSRF token that the attacker sees, and those that he can make.
async fn tokens(browser: &mut Browser) -> Vec<String> {
    let id = browser.open("/id").await.body;
    let mut tokens = Vec::new();
    for uri in ["/login?wait=false", "/transfer"] {
        let page = browser.open(uri).await;
        tokens.extend(page.form().map(|form| form.token).filter(|token| !token.is_empty()));
    }
    if !id.is_empty() {
        tokens.extend((0..4).map(|generation| forged(&id, generation)));
    }
    tokens
}

/// The victim's browser sends what the attacker's page makes it send.
async fn is_refused(victim: &Browser, token: &str) {
    let body = format!("amount=7&csrf_token={token}");
    let answer = victim.send("POST", "/transfer", &body).answer().await;
    assert_eq!(answer.status, 403, "{token}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d15_nothing_that_was_known_before_a_login_makes_a_csrf_token_after_it() {
    let mut sites = Sites::new(Figment::new()).await;
    for site in &mut sites.all {
        let mut attacker = site.browser();
        attacker.form("/login?wait=false").await;
        let mut known = tokens(&mut attacker).await;
        attacker.open("/act/renew?wait=false").await;
        known.extend(tokens(&mut attacker).await);
        let mut victim = Tab::of(attacker.clone(), site).await;
        assert_eq!(victim.log_in().await, victim.name(1));
        known.extend(tokens(&mut attacker).await);
        attacker.open("/act/login?wait=false").await;
        known.extend(tokens(&mut attacker).await);
        assert!(known.len() > 15, "{known:?}");
        for token in &known {
            is_refused(&victim.browser, token).await;
        }
        let form = victim.browser.form("/transfer").await;
        let moved = victim.browser.submit(&form, "amount=7").answer().await;
        assert_eq!((moved.status, &*moved.body), (200, "7 1"), "her own is good");
    }
}
