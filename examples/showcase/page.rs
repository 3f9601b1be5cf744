//! What all pages have in common: language, theme, who is logged in, and a message.

use std::collections::HashMap;
use std::sync::Arc;

use rocket::http::Status;
use rocket::http::uri::Origin;
use rocket::outcome::try_outcome;
use rocket::request::{FlashMessage, FromRequest, Outcome};
use rocket::{Request, Responder, uri};
use rocket_dyn_templates::Template;
use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
use rocket_typed_sessions::{Session, SessionError, TrySession};
use serde::Serialize;

use super::accounts::Account;
use super::next::Next;
use super::session::{Language, Preferences, Shopper, Theme};
use super::texts::{self, Texts};
use super::user;

/// A form that has nothing but a button, and its token.
pub type Button = CsrfForm<Shopper, HashMap<String, String>>;

/// A page to be shown. It is a guard that needs no storage: if that cannot answer, the page is
/// shown without the user. A route that cannot do without takes `Session<Shopper>` or `User`.
pub struct Page<'r> {
    preferences: Preferences,
    session: TrySession<Shopper>,
    account: Option<Arc<Account>>,
    path: &'r str,
    here: Next,
    flash: Option<FlashMessage<'r>>,
}

/// What the templates see.
#[derive(Serialize)]
struct Shown<'a, C> {
    language: Language,
    theme: Theme,
    t: Texts,
    user: Option<&'a Account>,
    in_cart: u32,
    /// The token for forms, if there is a session.
    csrf: Option<CsrfToken<Shopper>>,
    is_unavailable: bool,
    path: &'a str,
    /// Links that lead back to this page.
    to_login: Origin<'static>,
    to_preferences: Origin<'static>,
    message: Option<&'static str>,
    problem: Option<&'static str>,
    #[serde(flatten)]
    content: C,
}

/// The answer to a form that is wrong: the form again, or the page of an error.
#[derive(Responder)]
pub enum Refusal {
    Form(Box<(Status, Template)>),
    Session(SessionError),
}

impl From<SessionError> for Refusal {
    fn from(cause: SessionError) -> Self {
        Self::Session(cause)
    }
}

impl Page<'_> {
    pub fn show(
        &self,
        template: &'static str,
        content: impl Serialize,
    ) -> Result<Template, SessionError> {
        self.render(template, None, content)
    }

    /// The form again, with what is wrong.
    pub fn refuse(
        &self,
        template: &'static str,
        problem: &'static str,
        content: impl Serialize,
    ) -> Refusal {
        match self.render(template, Some(problem), content) {
            Ok(form) => Refusal::Form(Box::new((Status::UnprocessableEntity, form))),
            Err(cause) => cause.into(),
        }
    }

    fn render(
        &self,
        template: &'static str,
        problem: Option<&str>,
        content: impl Serialize,
    ) -> Result<Template, SessionError> {
        let language = self.preferences.language;
        let session = match &self.session {
            TrySession::Present(session) | TrySession::Absent(session) => Some(session),
            TrySession::Unavailable(_) => None,
        };
        // The route may have begun a session, for its form.
        let csrf = session.map(Session::csrf_token).transpose()?.flatten();
        let in_cart = session.and_then(Session::get).map_or(0, |shopper| shopper.cart.count());
        // The cookie of the message names a text. Whoever forges it chooses among ours.
        let message = self.flash.as_ref().and_then(|flash| texts::find(language, flash.message()));
        let shown = Shown {
            language,
            theme: self.preferences.theme,
            t: texts::all(language),
            user: self.account.as_deref(),
            in_cart,
            csrf,
            is_unavailable: session.is_none(),
            path: self.path,
            to_login: uri!(super::login::form(&self.here)),
            to_preferences: uri!(super::preferences::form(&self.here)),
            message,
            problem: problem.and_then(|problem| texts::find(language, problem)),
            content,
        };
        Ok(Template::render(template, shown))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Page<'r> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, SessionError> {
        let preferences = try_outcome!(Session::<Preferences>::from_request(request).await);
        let session = try_outcome!(TrySession::<Shopper>::from_request(request).await);
        let account = match &session {
            TrySession::Present(session) => match session.get() {
                Some(shopper) => user::account(request, &shopper).await,
                None => None,
            },
            _ => None,
        };
        Outcome::Success(Self {
            preferences: preferences.get().as_deref().copied().unwrap_or_default(),
            session,
            account,
            path: request.uri().path().as_str(),
            here: Next::here(request),
            flash: request.guard::<FlashMessage<'_>>().await.succeeded(),
        })
    }
}
