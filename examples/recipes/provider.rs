//! A tiny OAuth provider for `oauth.rs`, which asks nobody for a password.
//!
//! It knows one client, `recipes`, and one address to send users back to. It checks
//! both, gives out codes that are good once, and verifies PKCE (RFC 7636).

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::fairing::AdHoc;
use rocket::http::{RawStr, Status};
use rocket::response::Redirect;
use rocket::tokio::sync::Mutex;
use rocket::{FromForm, State, get, routes};
use sha2::{Digest, Sha256};

use super::random;

const CLIENT: &str = "recipes";
const CALLBACK: &str = "/oauth/callback";

/// What is known of a code: who allowed it, and for which challenge.
pub struct Code {
    subject: String,
    challenge: String,
}

#[derive(Default)]
pub struct Issued {
    codes: HashMap<String, Code>,
    /// How often a code was to be exchanged.
    pub exchanges: usize,
}

pub type Provider = Arc<Mutex<Issued>>;

/// Where an application sends a user who wants to log in.
pub fn address(state: &str, verifier: &str) -> String {
    format!(
        "/provider/authorize?response_type=code&scope=openid&client_id={CLIENT}&redirect_uri={CALLBACK}\
         &state={state}&code_challenge={}&code_challenge_method=S256",
        challenge(verifier),
    )
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// What an application sends to the token endpoint with its HTTP client, and the
/// subject of the identity token that comes back.
pub async fn exchange(provider: &Provider, code: &str, verifier: &str) -> Option<String> {
    let mut issued = provider.lock().await;
    issued.exchanges += 1;
    let code = issued.codes.remove(code)?;
    (code.challenge == challenge(verifier)).then_some(code.subject)
}

#[derive(FromForm)]
struct Asked<'r> {
    client_id: &'r str,
    redirect_uri: &'r str,
    state: &'r str,
    code_challenge: &'r str,
    /// Who allows it. A real provider asks; this one waits for `&user=ann` at the
    /// end of the address, and takes `&user=` for "cancel".
    user: Option<&'r str>,
}

#[get("/authorize?<asked..>")]
async fn authorize(
    asked: Asked<'_>,
    provider: &State<Provider>,
) -> Result<Result<Redirect, &'static str>, Status> {
    if asked.client_id != CLIENT || asked.redirect_uri != CALLBACK {
        return Err(Status::BadRequest);
    }
    let state = RawStr::new(asked.state).percent_encode();
    let answer = match asked.user {
        None => return Ok(Err("Add &user=ann to the address, or &user= to cancel.\n")),
        Some("") => "error=access_denied".to_owned(),
        Some(user) => {
            let code = random::text().map_err(|cause| cause.status())?;
            let (subject, challenge) = (user.to_owned(), asked.code_challenge.to_owned());
            provider.lock().await.codes.insert(code.clone(), Code { subject, challenge });
            format!("code={code}")
        }
    };
    Ok(Ok(Redirect::to(format!("{CALLBACK}?{answer}&state={state}"))))
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("provider", |rocket| async {
        rocket.manage(Provider::default()).mount("/provider", routes![authorize])
    })
}
