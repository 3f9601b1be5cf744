//! Logging in at another site with OAuth 2: the authorization code flow with PKCE.
//!
//! A session of its own remembers each login that is under way, with its `state`,
//! its PKCE verifier and where it leads. So each tab has one.
//!
//! - A `state` is good in the browser that began the login, once, for ten minutes.
//!   So nobody logs a victim in to the attacker's account, or links it.
//! - Of several callbacks with one `state`, one exchanges the code.
//! - A second account is linked by a form with a CSRF token, to the user who sent
//!   it, and only while that user is logged in.
//!
//! Of two tabs that a browser without any cookie opens at the same moment, one must
//! begin again. The session must be on the server, and `same_site` must not be
//! `"strict"`: the provider sends the browser back from its own site.
//!
//! ```sh
//! curl -s -L -c jar -b jar 'http://127.0.0.1:8000/oauth/login?next=/oauth' -o /dev/null -w '%{url_effective}\n'
//! # The provider's page. Add &user=ann:
//! curl -s -L -c jar -b jar '…&user=ann'   # User 1: ann
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::response::content::RawHtml;
use rocket::tokio::sync::Mutex;
use rocket::{State, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
use rocket_typed_sessions::{Authenticate, Authenticated, Session, SessionData, SessionError};
use serde::{Deserialize, Serialize};

use super::flows::{Flow, Flows};
use super::next::Next;
use super::provider::{self, Provider};
use super::random;

#[derive(Clone, Serialize, Deserialize)]
struct Member {
    user: u32,
}

impl SessionData for Member {
    const NAME: &'static str = "member";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.user.to_string().into())
    }
}

impl Authenticate for Member {}

/// The user of each account at the provider. Stands for a table.
pub type Accounts = Arc<Mutex<HashMap<String, u32>>>;

fn begin(
    flows: &Session<Flows>,
    next: String,
    link_to: Option<u32>,
) -> Result<Redirect, SessionError> {
    let (state, verifier) = (random::text()?, random::text()?);
    let address = provider::address(&state, &verifier);
    let flow = Flow { state, verifier, next, link_to, began: SystemTime::now() };
    flows.get_or_insert_with(Flows::default);
    flows.update(move |flows| flows.begin(flow.clone()));
    Ok(Redirect::to(address))
}

#[get("/login?<next>")]
fn login(flows: Session<Flows>, next: Option<Next<'_>>) -> Result<Redirect, SessionError> {
    begin(&flows, next.map_or("/oauth", Next::path).to_owned(), None)
}

#[post("/link", data = "<_form>")]
fn link(
    flows: Session<Flows>,
    member: Authenticated<Member>,
    _form: CsrfForm<Member, HashMap<String, String>>,
) -> Result<Redirect, SessionError> {
    begin(&flows, "/oauth".into(), Some(member.user))
}

type Failed = (Status, &'static str);

const UNKNOWN: Failed = (Status::BadRequest, "Unknown, too old or done. Please begin again.\n");
const REFUSED: Failed = (Status::Forbidden, "The provider has not logged you in.\n");
const CANCELLED: Failed = (Status::Forbidden, "You have cancelled the login.\n");
const NOT_YOURS: Failed = (Status::Conflict, "The account belongs to another user.\n");

#[get("/callback?<state>&<code>&<error>")]
async fn callback(
    state: Option<String>,
    code: Option<&str>,
    error: Option<&str>,
    flows: Session<Flows>,
    member: Session<Member>,
    provider: &State<Provider>,
    accounts: &State<Accounts>,
) -> Result<Redirect, Result<Failed, SessionError>> {
    let state = state.ok_or(Ok(UNKNOWN))?;
    // Whoever takes the flow out of the session is the only one who has it.
    let flow = flows.update_now(move |flows| flows.take(&state)).await.map_err(Err)?;
    let flow = flow.flatten().ok_or(Ok(UNKNOWN))?;
    let code = code.filter(|_| error.is_none());
    let code = code.ok_or(Ok(if error == Some("access_denied") { CANCELLED } else { REFUSED }))?;
    let subject = provider::exchange(provider, code, &flow.verifier).await.ok_or(Ok(REFUSED))?;
    let mut accounts = accounts.lock().await;
    let new = 1 + accounts.values().max().unwrap_or(&0);
    match flow.link_to {
        None => member.login(Member { user: *accounts.entry(subject).or_insert(new) }),
        Some(user) => {
            let is_here = member.get().is_some_and(|member| member.user == user);
            if !is_here || *accounts.entry(subject).or_insert(user) != user {
                return Err(Ok(NOT_YOURS));
            }
        }
    }
    Ok(Redirect::to(flow.next))
}

#[get("/")]
async fn home(
    member: Authenticated<Member>,
    csrf: CsrfToken<Member>,
    accounts: &State<Accounts>,
) -> RawHtml<String> {
    let accounts = accounts.lock().await;
    let own = accounts.iter().filter(|(_, user)| **user == member.user);
    let mut names: Vec<_> = own.map(|(name, _)| name.replace('<', "&lt;")).collect();
    names.sort_unstable();
    RawHtml(format!(
        r#"User {}: {}
<form method="post" action="/oauth/link"><input type="hidden" name="csrf_token" value="{csrf}"><button>Link another account</button></form>"#,
        member.user,
        names.join(", "),
    ))
}

#[post("/logout")]
fn logout(member: Session<Member>) {
    member.clear();
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("oauth", |rocket| async {
        let routes = routes![login, link, callback, home, logout];
        rocket.manage(Accounts::default()).mount("/oauth", routes)
    })
}
