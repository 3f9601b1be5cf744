//! Who asks: guards for users and for admins. The account is loaded once a request.

use std::sync::Arc;

use rocket::Request;
use rocket::http::Status;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};
use rocket_typed_sessions::{Authenticate, Authenticated, Session, SessionError};

use super::accounts::{Account, Accounts, Role};
use super::session::Shopper;

/// A session counts as a login as long as its account exists.
impl Authenticate for Shopper {
    async fn validate(&self, request: &Request<'_>) -> bool {
        account(request, self).await.is_some()
    }
}

/// The account of the request's session. A database is asked once, however many guards ask.
pub async fn account(request: &Request<'_>, shopper: &Shopper) -> Option<Arc<Account>> {
    let load = async {
        let accounts = request.rocket().state::<Accounts>()?;
        accounts.find(shopper.user.as_deref()?)
    };
    request.local_cache_async(load).await.clone()
}

/// A user who has logged in. The guard forwards everybody else with 401.
pub struct User {
    pub account: Arc<Account>,
    pub session: Session<Shopper>,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for User {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SessionError> {
        let login = try_outcome!(Authenticated::<Shopper>::from_request(request).await);
        match account(request, &login).await {
            Some(account) => Outcome::Success(Self { account, session: login.session().clone() }),
            None => Outcome::Forward(Status::Unauthorized),
        }
    }
}

/// A user who may see the admin area. The guard forwards other users with 403.
pub struct Admin;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admin {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SessionError> {
        match try_outcome!(User::from_request(request).await).account.role {
            Role::Admin => Outcome::Success(Self),
            Role::Customer => Outcome::Forward(Status::Forbidden),
        }
    }
}
