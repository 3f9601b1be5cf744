//! Requests that overlap, in every order, and who the browser must be in the end.
//!
//! Three things happen to a request: it is sent with the cookies of that moment and its
//! session is loaded; it goes on, its changes are committed and its answer leaves the
//! server; the answer reaches the browser, or is lost.

use std::mem::replace;

use tokio::sync::oneshot;

use super::jar::{Answer, Browser, Form, Underway};
use super::site::Site;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To log in by the form, as the first or the second user.
    Login(usize),
    /// What the site does at `/act`.
    Act(&'static str),
}

/// Every order of the three steps of so many requests, where the first of them are sent
/// before anything else happens. Each number is a request.
pub fn orders(requests: usize, sent_first: usize) -> Vec<Vec<usize>> {
    let sent: Vec<_> = (0..sent_first).collect();
    let mut left: Vec<_> = (0..requests).map(|at| if at < sent_first { 2 } else { 3 }).collect();
    of(&mut left).into_iter().map(|rest| [sent.clone(), rest].concat()).collect()
}

fn of(left: &mut [usize]) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for at in 0..left.len() {
        if left[at] > 0 {
            left[at] -= 1;
            all.extend(of(left).into_iter().map(|rest| [vec![at], rest].concat()));
            left[at] += 1;
        }
    }
    if all.is_empty() { vec![Vec::new()] } else { all }
}

/// What became of a request, and when. `None` is never.
#[derive(Debug)]
pub struct Request {
    pub ask: Ask,
    pub sent: Option<usize>,
    pub answered: Option<usize>,
    pub arrived: Option<usize>,
    pub answer: Option<Answer>,
    state: State,
}

enum State {
    Unsent,
    Waits(oneshot::Sender<()>, Underway),
    Answered,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("")
    }
}

impl Request {
    pub fn new(ask: Ask) -> Self {
        let (sent, answered, arrived, answer) = (None, None, None, None);
        Self { ask, sent, answered, arrived, answer, state: State::Unsent }
    }

    /// The next step, at this time.
    pub async fn step(&mut self, now: usize, site: &mut Site, tab: &mut Tab, lost: bool) {
        match replace(&mut self.state, State::Answered) {
            State::Unsent => {
                let underway = tab.send(self.ask);
                self.state = State::Waits(site.waits().await, underway);
                self.sent = Some(now);
            }
            State::Waits(open, underway) => {
                let _ = open.send(());
                self.answer = Some(underway.answer().await);
                self.answered = Some(now);
            }
            State::Answered if lost => {}
            State::Answered => {
                tab.browser.take(self.answer());
                self.arrived = Some(now);
            }
        }
    }

    pub fn answer(&self) -> &Answer {
        self.answer.as_ref().expect("it was answered")
    }

    pub fn is_login(&self) -> bool {
        matches!(self.ask, Ask::Login(_))
    }

    /// A login that was accepted.
    pub fn logs_in(&self) -> bool {
        self.is_login() && self.answer().status == 303
    }

    /// `clear()` and the like, of the session that the request has found.
    fn ends_its_session(&self) -> bool {
        matches!(self.ask, Ask::Act("clear" | "clear-and-set" | "revoke"))
    }

    fn says_anything(&self) -> bool {
        !self.answer().set_cookies.is_empty()
    }
}

/// A browser that shows the login form.
pub struct Tab {
    pub browser: Browser,
    pub form: Form,
    user: String,
}

impl Tab {
    /// Somebody new opens it.
    pub async fn open(site: &mut Site) -> Self {
        let browser = site.browser();
        Self::of(browser, site).await
    }

    /// Somebody opens it whose browser has these cookies already.
    pub async fn of(mut browser: Browser, site: &mut Site) -> Self {
        let form = browser.form("/login?wait=true").await;
        Self { browser, form, user: site.somebody() }
    }

    fn send(&self, ask: Ask) -> Underway {
        match ask {
            Ask::Login(user) => {
                self.browser.submit(&self.form, &format!("user={}", self.name(user)))
            }
            Ask::Act(does) => self.browser.send("GET", &format!("/act/{does}?wait=true"), ""),
        }
    }

    pub fn name(&self, user: usize) -> String {
        format!("{}-{user}", self.user)
    }

    /// Takes the requests through their steps in this order.
    pub async fn play(
        &mut self,
        site: &mut Site,
        asks: &[Ask],
        order: &[usize],
        lost: &[usize],
    ) -> Vec<Request> {
        let mut requests: Vec<_> = asks.iter().copied().map(Request::new).collect();
        for (now, at) in order.iter().enumerate() {
            requests[*at].step(now, site, self, lost.contains(at)).await;
        }
        requests
    }

    /// The user opens the form and logs in. Says who the browser then is.
    pub async fn log_in(&mut self) -> String {
        let form = self.browser.form("/login?wait=false").await;
        let user = self.name(1);
        let answer = self.browser.submit(&form, &format!("user={user}")).answer().await;
        self.browser.follow(answer).await;
        self.browser.who().await
    }
}

/// Who the browser must be in the end.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    LoggedIn(usize),
    /// The site refused the form. Its token was for another session than the browser's.
    Refused,
    /// An answer that left before the login's came after it.
    Overtaken,
    /// Under a limit of one session, another login ended this one.
    Ended,
    /// The answer with the login was lost.
    Lost,
}

/// Says by the rules who the browser is, and checks what every answer may carry.
pub fn end(requests: &[Request], limit: bool) -> End {
    let logins = || requests.iter().filter(|one| one.logs_in());
    for one in requests.iter().filter(|one| !one.logs_in()) {
        let late = logins().any(|login| login.answered < one.answered);
        let quiet = !one.says_anything();
        assert!(!late || quiet, "nothing goes out after a login: {requests:#?}");
        assert!(!one.is_login() || is_refused(one, requests), "it must log in: {requests:#?}");
    }
    for login in logins() {
        assert!(login.says_anything() && !is_refused(login, requests), "{requests:#?}");
    }
    let arrived = requests.iter().filter(|one| one.arrived.is_some() && one.says_anything());
    match arrived.max_by_key(|one| one.arrived) {
        Some(last) if last.logs_in() => {
            let ended = limit && logins().any(|other| other.answered > last.answered);
            let Ask::Login(user) = last.ask else { unreachable!("it logs in") };
            if ended { End::Ended } else { End::LoggedIn(user) }
        }
        _ if logins().next().is_none() => End::Refused,
        Some(_) if logins().any(|login| login.arrived.is_some()) => End::Overtaken,
        _ => End::Lost,
    }
}

/// Whether the form's token is none of the session's that the browser shows: a login has
/// arrived before, or the anonymous session was renewed or ended.
fn is_refused(login: &Request, requests: &[Request]) -> bool {
    requests.iter().any(|other| match other.ask {
        Ask::Login(_) => {
            other.logs_in() && other.arrived.is_some_and(|then| Some(then) < login.sent)
        }
        Ask::Act(does) if does == "renew" || other.ends_its_session() => {
            let late = |earlier: &Request| earlier.logs_in() && earlier.answered < other.answered;
            other.answered < login.sent && !requests.iter().any(late)
        }
        Ask::Act(_) => false,
    })
}

/// How often a race ended in which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub logged_in: usize,
    pub refused: usize,
    pub overtaken: usize,
    pub ended: usize,
    pub lost: usize,
}

impl Ends {
    pub const NONE: Self = Self { logged_in: 0, refused: 0, overtaken: 0, ended: 0, lost: 0 };

    fn count(&mut self, end: &End) {
        *match end {
            End::LoggedIn(_) => &mut self.logged_in,
            End::Refused => &mut self.refused,
            End::Overtaken => &mut self.overtaken,
            End::Ended => &mut self.ended,
            End::Lost => &mut self.lost,
        } += 1;
    }
}

/// Requests of one browser that has opened the login form.
pub struct Race<'a> {
    pub asks: &'a [Ask],
    /// The answers that never arrive.
    pub lost: &'a [usize],
    /// The owner may have one session.
    pub limit: bool,
    /// Happens when the form is open.
    pub before: fn(&Site),
}

impl<'a> Race<'a> {
    pub fn of(asks: &'a [Ask]) -> Self {
        Self { asks, lost: &[], limit: false, before: |_| {} }
    }

    /// Runs all these orders, but for those in which something other than a login is sent
    /// when a login has arrived already.
    pub async fn run(&self, site: &mut Site, orders: &[Vec<usize>]) -> Ends {
        let mut ends = Ends::NONE;
        for order in orders.iter().filter(|order| self.overlaps(order)) {
            let mut tab = Tab::open(site).await;
            (self.before)(site);
            let requests = tab.play(site, self.asks, order, self.lost).await;
            let end = end(&requests, self.limit);
            let who = tab.browser.who().await;
            let expected = match end {
                End::LoggedIn(user) => tab.name(user),
                _ => "nobody".into(),
            };
            let case = format!("{}, {:?}, {order:?}, {end:?}", site.name, self.asks);
            assert_eq!(who, expected, "{case}: {requests:#?}");
            if who == "nobody" {
                assert_eq!(tab.log_in().await, tab.name(1), "{case}: not locked out");
            }
            ends.count(&end);
        }
        ends
    }

    fn overlaps(&self, order: &[usize]) -> bool {
        let when = |at: usize, step: usize| {
            let steps = order.iter().enumerate().filter(|(_, other)| **other == at);
            steps.map(|(now, _)| now).nth(step)
        };
        let is_login = |at: &usize| matches!(self.asks[*at], Ask::Login(_));
        let all = || 0..self.asks.len();
        all().filter(|at| !is_login(at)).all(|at| {
            all()
                .filter(is_login)
                .all(|login| self.lost.contains(&login) || when(at, 0) < when(login, 2))
        })
    }
}
