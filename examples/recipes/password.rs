//! A changed password ends the user's other sessions, whoever changes it.
//!
//! Each password has a *stamp*, a random text that is drawn when the password is
//! set. The session remembers the stamp of the password that opened it, and
//! `validate` compares the two in each request.
//!
//! - A session that began with a former password is nobody's as soon as the new
//!   password is stored, also if it was changed by an administrator or a program,
//!   and if a login with the former one is under way.
//! - The user who changes the password stays logged in here, under a new id.
//! - `revoke_others` ends the records of the other sessions, so that no list of
//!   devices shows them. If it fails, they are of no use all the same.
//!
//! `validate` can only say yes or no. Where the users' table may fail, compare the
//! stamps in a guard such as the one in `user.rs`, so that a failure is a 503.
//!
//! ```sh
//! curl -s -c phone  -d 'name=ann&password=swordfish' http://127.0.0.1:8000/password/login
//! curl -s -c laptop -d 'name=ann&password=swordfish' http://127.0.0.1:8000/password/login
//! token=$(curl -s -b phone -c phone http://127.0.0.1:8000/password | sed -n 's/.*csrf_token" value="\([^"]*\).*/\1/p')
//! curl -s -b phone -c phone -d "old=swordfish&new=halibut&csrf_token=$token" http://127.0.0.1:8000/password
//! curl -s -b laptop http://127.0.0.1:8000/password -o /dev/null -w '%{http_code}\n'   # 401
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rocket::fairing::AdHoc;
use rocket::form::Form;
use rocket::http::Status;
use rocket::response::content::RawHtml;
use rocket::tokio::sync::Mutex;
use rocket::{FromForm, Request, State, get, post, routes};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
use rocket_typed_sessions::{
    Authenticate, Authenticated, Session, SessionData, SessionError, Sessions,
};
use serde::{Deserialize, Serialize};

use super::random;

#[derive(Clone, Serialize, Deserialize)]
struct Vault {
    user: String,
    stamp: String,
}

impl SessionData for Vault {
    const NAME: &'static str = "vault";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.user.as_str().into())
    }
}

impl Authenticate for Vault {
    async fn validate(&self, request: &Request<'_>) -> bool {
        let Some(passwords) = request.rocket().state::<Passwords>() else { return false };
        let passwords = passwords.lock().await;
        passwords.get(&self.user).is_some_and(|password| password.stamp == self.stamp)
    }
}

/// A row of the users' table. An application keeps a hash instead of the text.
pub struct Password {
    text: String,
    stamp: String,
}

impl Password {
    /// Whatever sets a password draws its stamp, in the same write.
    pub fn new(text: &str) -> Result<Self, SessionError> {
        Ok(Self { text: text.to_owned(), stamp: random::text()? })
    }
}

/// Stands for the database.
pub type Passwords = Arc<Mutex<HashMap<String, Password>>>;

#[derive(FromForm)]
struct Credentials<'r> {
    name: &'r str,
    password: &'r str,
}

#[post("/login", data = "<form>")]
async fn login(
    session: Session<Vault>,
    form: Form<Credentials<'_>>,
    passwords: &State<Passwords>,
) -> Result<&'static str, Status> {
    // The password and its stamp are of the same read.
    let passwords = passwords.lock().await;
    let row = passwords.get(form.name).filter(|row| row.text == form.password);
    let stamp = row.ok_or(Status::Forbidden)?.stamp.clone();
    session.login(Vault { user: form.name.to_owned(), stamp });
    Ok("You are logged in.\n")
}

#[get("/")]
fn page(vault: Authenticated<Vault>, csrf: CsrfToken<Vault>) -> RawHtml<String> {
    let user = vault.user.replace('&', "&amp;").replace('<', "&lt;");
    RawHtml(format!(
        r#"<p>{user}</p><form method="post"><input type="hidden" name="csrf_token" value="{csrf}">
<input name="old" type="password"><input name="new" type="password"><button>Change</button></form>"#
    ))
}

#[derive(FromForm)]
struct Change<'r> {
    old: &'r str,
    #[field(validate = len(1..))]
    new: &'r str,
}

#[post("/", data = "<form>")]
async fn change(
    vault: Authenticated<Vault>,
    form: CsrfForm<Vault, Change<'_>>,
    passwords: &State<Passwords>,
    sessions: &Sessions,
) -> Result<String, Result<Status, SessionError>> {
    let password = Password::new(form.new).map_err(Err)?;
    let stamp = password.stamp.clone();
    match passwords.lock().await.get_mut(&vault.user) {
        Some(row) if row.text == form.old => *row = password,
        _ => return Err(Ok(Status::Forbidden)),
    }
    vault.session().update(move |vault| vault.stamp.clone_from(&stamp));
    vault.session().reauthenticate();
    let others = sessions.of::<Vault>().revoke_others(vault.session()).await.map_err(Err)?;
    Ok(format!("The password is changed. {others} other session(s) ended.\n"))
}

pub fn stage() -> AdHoc {
    AdHoc::try_on_ignite("password", |rocket| async {
        let Ok(password) = Password::new("swordfish") else { return Err(rocket) };
        let passwords = HashMap::from([("ann".to_owned(), password)]);
        let passwords: Passwords = Arc::new(Mutex::new(passwords));
        Ok(rocket.manage(passwords).mount("/password", routes![login, page, change]))
    })
}
