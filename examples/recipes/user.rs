//! The user's row as a guard, loaded once a request; roles; and pages for users and
//! visitors alike.
//!
//! The session holds the user's id, and the users' table holds the rest.
//!
//! - However many guards ask for the row, a request asks the database once.
//! - A locked user is nobody from the next request on, on every device. The same
//!   holds for an administrator who is none any more.
//! - A database or a storage that cannot answer is never "not logged in".
//!
//! ```sh
//! curl -s -c jar -X POST http://127.0.0.1:8000/user/login/2
//! curl -s -b jar http://127.0.0.1:8000/user/me            # Hello, ben!
//! curl -s -b jar http://127.0.0.1:8000/user/admin -o /dev/null -w '%{http_code}\n' # 403; user 1 may
//! curl -s http://127.0.0.1:8000/user                      # Hello, whoever you are!
//! ```

use std::borrow::Cow;

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, State, get, post, routes};
use rocket_typed_sessions::{Authenticate, Authenticated, Session, SessionData, TrySession};
use serde::{Deserialize, Serialize};

use super::users::{User, Users, find, table};

#[derive(Clone, Serialize, Deserialize)]
struct Login {
    id: u32,
}

impl SessionData for Login {
    const NAME: &'static str = "login";

    fn owner(&self) -> Option<Cow<'_, str>> {
        Some(self.id.to_string().into())
    }
}

impl Authenticate for Login {}

/// The row of a user, asked for once a request.
async fn row<'r>(request: &'r Request<'_>, id: u32) -> Result<Option<&'r User>, Status> {
    let row = request.local_cache_async(find(request.rocket().state(), id)).await;
    row.as_ref().map(|row| row.as_ref().filter(|user| user.id == id)).map_err(|status| *status)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r User {
    type Error = ();

    /// Forwards with 401 where nobody has logged in, as `Authenticated` does.
    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let login = request.guard::<Authenticated<Login>>().await;
        let login = try_outcome!(login.map_error(|(status, _)| (status, ())));
        match row(request, login.id).await {
            Ok(Some(user)) => Outcome::Success(user),
            Ok(None) => Outcome::Forward(Status::Unauthorized),
            Err(status) => Outcome::Error((status, ())),
        }
    }
}

/// A user who is an administrator. Forwards with 403 for any other user.
pub struct Admin<'r>(&'r User);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admin<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let user = try_outcome!(request.guard::<&User>().await);
        if user.is_admin {
            Outcome::Success(Self(user))
        } else {
            Outcome::Forward(Status::Forbidden)
        }
    }
}

/// Who asks for a page that everybody may read. Do not take `Option<&User>` there:
/// it is `None` as well if the users' table does not answer.
pub enum Reader<'r> {
    User(&'r User),
    Visitor,
    /// The storage or the database does not answer, so nobody knows.
    Unknown,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Reader<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let session = request.guard::<TrySession<Login>>().await;
        let id = match try_outcome!(session.map_error(|(status, _)| (status, ()))) {
            TrySession::Present(session) => session.get().map(|login| login.id),
            TrySession::Absent(_) => None,
            TrySession::Unavailable(_) => return Outcome::Success(Self::Unknown),
        };
        let Some(id) = id else { return Outcome::Success(Self::Visitor) };
        let user = row(request, id).await.map(|user| user.map_or(Self::Visitor, Self::User));
        Outcome::Success(user.unwrap_or(Self::Unknown))
    }
}

#[get("/")]
fn index(reader: Reader<'_>) -> String {
    match reader {
        Reader::User(user) => format!("Hello, {}!", user.name),
        Reader::Visitor => "Hello, whoever you are!".into(),
        Reader::Unknown => "Hello! Accounts are not available at the moment.".into(),
    }
}

#[get("/me")]
fn me(user: &User) -> String {
    format!("Hello, {}!", user.name)
}

#[get("/admin")]
fn admin(admin: Admin<'_>, reader: Reader<'_>) -> String {
    format!("{} You are {}, an administrator.", index(reader), admin.0.name)
}

/// A real application asks for a password; see the example `auth_form`.
#[post("/login/<id>")]
async fn login(session: Session<Login>, id: u32, users: &State<Users>) -> Result<(), Status> {
    let user = find(Some(users), id).await?.ok_or(Status::Forbidden)?;
    session.login(Login { id: user.id });
    Ok(())
}

pub fn stage() -> AdHoc {
    AdHoc::on_ignite("user", |rocket| async {
        rocket.manage(table()).mount("/user", routes![index, me, admin, login])
    })
}
