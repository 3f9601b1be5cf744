//! An access token in the session, refreshed once however many requests need it.
//!
//! The request that finds the token expired *claims* the refresh: it writes into
//! the session until when. The others see that and wait for the new token.
//!
//! - Of the requests of a session, on whatever node, one asks the provider. All get
//!   the new token.
//! - If that one dies, its claim runs out, and the next one takes over.
//! - If the provider does not answer, all of them answer 502, and the next request
//!   tries again. If it refuses the refresh token, the session ends: 401.
//!
//! Where the provider accepts a refresh token once, and a request dies after that
//! and before it has saved the new one, the user must log in again. The clocks of
//! nodes must not differ by more than two seconds.
//!
//! ```sh
//! curl -s -c jar -X POST http://127.0.0.1:8000/token-refresh/login
//! for n in 1 2 3 4; do curl -s -b jar http://127.0.0.1:8000/token-refresh & done; wait # four times access-1
//! ```

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::tokio::time::{sleep, timeout};
use rocket::{Route, State, get, post, routes};
use rocket_typed_sessions::{Session, SessionData, SessionError};
use serde::{Deserialize, Serialize};

use super::token_endpoint::{Demo, Endpoint, Refused, Tokens};

/// A token that ends sooner than this is not used any more.
const MARGIN: Duration = Duration::from_secs(1);
/// How long the provider may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a claim holds: longer than the provider and two writes to the storage.
const LEASE: Duration = Duration::from_secs(10);
/// How often those who wait look.
const POLL: Duration = Duration::from_millis(50);

/// Milliseconds since 1970.
fn now() -> u128 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()
}

#[derive(Clone, Serialize, Deserialize)]
struct Grant {
    access: String,
    refresh: String,
    expires: u128,
    /// Until when a request has claimed the refresh; 0 once it is done.
    claimed: u128,
}

impl SessionData for Grant {
    const NAME: &'static str = "grant";
}

impl Grant {
    fn is_fresh(&self) -> bool {
        self.expires > now() + MARGIN.as_millis()
    }
}

/// A token that is good for at least `MARGIN`. `None` if the provider does not answer.
async fn access_token(
    session: &Session<Grant>,
    endpoint: &dyn Endpoint,
) -> Result<Option<String>, SessionError> {
    let mut found = session.get();
    let mut has_waited = false;
    loop {
        let grant = found.ok_or(SessionError::Ended)?;
        if grant.is_fresh() {
            return Ok(Some(grant.access.clone()));
        }
        if grant.claimed > now() {
            has_waited = true;
            sleep(POLL).await;
        } else if has_waited && grant.claimed == 0 {
            return Ok(None);
        } else if let Some(token) = claim(session).await? {
            return refresh(session, endpoint, &token).await;
        }
        found = session.refresh().await?;
    }
}

/// The refresh token, if this request is the one to use it.
async fn claim(session: &Session<Grant>) -> Result<Option<String>, SessionError> {
    let claim = |grant: &mut Grant| {
        let is_free = !grant.is_fresh() && grant.claimed <= now();
        grant.claimed = if is_free { now() + LEASE.as_millis() } else { grant.claimed };
        is_free.then(|| grant.refresh.clone())
    };
    Ok(session.update_now(claim).await?.flatten())
}

async fn refresh(
    session: &Session<Grant>,
    endpoint: &dyn Endpoint,
    token: &str,
) -> Result<Option<String>, SessionError> {
    let answer = timeout(PATIENCE, endpoint.refresh(token)).await;
    match answer.unwrap_or(Err(Refused::Unavailable)) {
        Ok(Tokens { access, refresh, lifetime }) => {
            let expires = now() + lifetime.as_millis();
            let grant = Grant { access: access.clone(), refresh, expires, claimed: 0 };
            session.update_now(move |before| before.clone_from(&grant)).await?;
            Ok(Some(access))
        }
        Err(Refused::Invalid) => {
            session.clear();
            Err(SessionError::Ended)
        }
        Err(Refused::Unavailable) => {
            session.update_now(|grant| grant.claimed = 0).await?;
            Ok(None)
        }
    }
}

#[get("/")]
async fn call(
    session: Session<Grant>,
    endpoint: &State<Arc<dyn Endpoint>>,
) -> Result<Result<String, Status>, SessionError> {
    let token = access_token(&session, &***endpoint).await?.ok_or(Status::BadGateway);
    Ok(token.map(|token| format!("The API is called with {token}.\n")))
}

/// An application gets its first tokens from a login; see `oauth.rs`. These have
/// expired.
#[post("/login")]
fn login(session: Session<Grant>) {
    let (access, refresh) = ("access-0".into(), "refresh-0".into());
    session.login(Grant { access, refresh, expires: 0, claimed: 0 });
}

pub fn routes() -> Vec<Route> {
    routes![call, login]
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("token refresh", |rocket| async {
        let endpoint: Arc<dyn Endpoint> = Arc::new(Demo);
        rocket.manage(endpoint).mount("/token-refresh", routes())
    })
}
