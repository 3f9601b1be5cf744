//! [`CsrfForm`]: a form that carries the token of its session.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use rocket::data::{Data, FromData, Outcome as DataOutcome, ToByteUnit};
use rocket::form::{DataField, Errors, Form, FromForm, Options, ValueField};
use rocket::outcome::Outcome;
use rocket::request::Request;

use super::CSRF_FIELD;
use super::check::{CsrfGuardError, check, rules};
use crate::data::SessionData;

/// The most bytes that are read of a multipart field for the token. Eight tokens fit.
const LONGEST: usize = 512;

/// A form that must carry its session's CSRF token, as a data guard. It dereferences to `F`.
///
/// The token is the form's field [`CSRF_FIELD`](super::CSRF_FIELD) or the header
/// [`CSRF_HEADER`](super::CSRF_HEADER). The first token that is not empty counts.
/// The form's fields come first, in their order, and the header last. In a
/// multipart form, the field may have a content type. `F` does not see the field,
/// so it may be [`Strict`](rocket::form::Strict).
///
/// | | outcome |
/// |---|---|
/// | the session's token | as [`Form`] |
/// | no token, the token of another session, no session | error, 403 |
/// | a page of another origin sent the request, see [`CsrfHeader`](super::CsrfHeader) | error, 403 |
/// | the storage cannot answer | error, 503 |
///
/// [`CsrfToken`](super::CsrfToken) has an example of the page.
pub struct CsrfForm<T: SessionData, F> {
    form: F,
    data: PhantomData<fn() -> T>,
}

impl<T: SessionData, F> CsrfForm<T, F> {
    /// Returns the form.
    ///
    /// ```
    /// # use rocket::http::{ContentType, Status};
    /// # use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// use rocket::form::FromForm;
    /// use rocket_typed_sessions::csrf::CsrfForm;
    ///
    /// #[derive(FromForm)]
    /// struct Transfer { to: String, amount: u32 }
    ///
    /// #[rocket::post("/transfer", data = "<transfer>")]
    /// fn transfer(transfer: CsrfForm<User, Transfer>) -> String {
    ///     let Transfer { to, amount } = transfer.into_inner();
    ///     format!("{amount} sent to {to}")
    /// }
    /// # #[rocket::get("/token")]
    /// # fn token(session: Session<User>) -> Result<Option<String>, SessionError> {
    /// #     session.login(User { id: 7 });
    /// #     Ok(session.csrf_token()?.map(|token| token.to_string()))
    /// # }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let routes = rocket::routes![transfer, token];
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes);
    /// # let client = rocket::local::blocking::Client::tracked(rocket).unwrap();
    /// # let token = client.get("/token").dispatch().into_string().unwrap();
    ///
    /// let post = |body| client.post("/transfer").header(ContentType::Form).body(body).dispatch();
    /// let response = post(format!("to=bob&amount=3&csrf_token={token}"));
    /// assert_eq!(response.into_string().as_deref(), Some("3 sent to bob"));
    /// assert_eq!(post("to=eve&amount=3".into()).status(), Status::Forbidden);
    /// ```
    pub fn into_inner(self) -> F {
        self.form
    }
}

impl<T: SessionData, F> Deref for CsrfForm<T, F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.form
    }
}

impl<T: SessionData, F: fmt::Debug> fmt::Debug for CsrfForm<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.form.fmt(f)
    }
}

/// Why a [`CsrfForm`] was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum CsrfFormError<'r> {
    /// The token or its session was refused.
    Token(CsrfGuardError),
    /// The form does not parse, as [`Form`] reports it.
    Form(Errors<'r>),
}

#[rocket::async_trait]
impl<'r, T: SessionData, F: FromForm<'r>> FromData<'r> for CsrfForm<T, F> {
    type Error = CsrfFormError<'r>;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> DataOutcome<'r, Self> {
        let refuse =
            |cause: CsrfGuardError| Outcome::Error((cause.status(), CsrfFormError::Token(cause)));
        // The body of a request from another origin is not read.
        let rules = match rules::<T>(request) {
            Ok(rules) => rules,
            Err(cause) => return refuse(cause),
        };
        let field = Arc::clone(&rules.field);
        let form = Form::<WithToken<'r, F>>::from_data(request, data);
        match FIELD.scope(field, form).await {
            Outcome::Success(form) => {
                let WithToken { token, form } = form.into_inner();
                if let Err(cause) = check::<T>(request, &rules, token.as_deref()).await {
                    return refuse(cause);
                }
                match form {
                    Ok(form) => Outcome::Success(Self { form, data: PhantomData }),
                    Err(errors) => Outcome::Error((errors.status(), CsrfFormError::Form(errors))),
                }
            }
            Outcome::Error((status, errors)) => {
                Outcome::Error((status, CsrfFormError::Form(errors)))
            }
            Outcome::Forward(forward) => Outcome::Forward(forward),
        }
    }
}

tokio::task_local! {
    /// The name of the field, for [`WithToken::init`], which does not see the request.
    static FIELD: Arc<str>;
}

/// A form and its token. The form's own errors are kept until the token is verified.
struct WithToken<'r, F> {
    token: Option<Cow<'r, str>>,
    form: Result<F, Errors<'r>>,
}

struct TokenContext<'r, F: FromForm<'r>> {
    field: Arc<str>,
    token: Option<Cow<'r, str>>,
    form: F::Context,
}

#[rocket::async_trait]
impl<'r, F: FromForm<'r>> FromForm<'r> for WithToken<'r, F> {
    type Context = TokenContext<'r, F>;

    fn init(options: Options) -> Self::Context {
        let field = FIELD.try_with(Arc::clone).unwrap_or_else(|_| CSRF_FIELD.into());
        TokenContext { field, token: None, form: F::init(options) }
    }

    fn push_value(context: &mut Self::Context, field: ValueField<'r>) {
        if field.name.source().as_str() != &*context.field {
            F::push_value(&mut context.form, field);
        } else if context.token.is_none() && !field.value.is_empty() {
            context.token = Some(field.value.into());
        }
    }

    async fn push_data(context: &mut Self::Context, field: DataField<'r, '_>) {
        if field.name.source().as_str() != &*context.field {
            F::push_data(&mut context.form, field).await;
        } else if context.token.is_none() {
            match field.data.open(LONGEST.bytes()).into_bytes().await {
                Ok(bytes) if bytes.is_empty() => {}
                // A value that was cut is too long to be a token, so it fails to verify.
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    context.token = Some(text.into());
                }
                Err(cause) => F::push_error(&mut context.form, cause.into()),
            }
        }
    }

    fn push_error(context: &mut Self::Context, error: rocket::form::Error<'r>) {
        F::push_error(&mut context.form, error);
    }

    fn finalize(context: Self::Context) -> Result<Self, Errors<'r>> {
        Ok(Self { token: context.token, form: F::finalize(context.form) })
    }
}
