//! [`CsrfToken`]: shown on a page, verified when the page's form or script sends it.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{FromRequest, Outcome as GuardOutcome, Request};
use rocket::response::{Responder, Result as ResponseResult};
use serde::{Serialize, Serializer};
use subtle::{Choice, ConstantTimeEq};

use crate::application::Tracker;
use crate::crypto::Random;
use crate::data::SessionData;
use crate::error::SessionError;
use crate::session::Session;
use crate::token::{CsrfKeys, parts};

/// Bytes of the HMAC that a token carries.
const LENGTH: usize = CsrfKeys::TAG;

/// The CSRF token of the request's session of type `T`, as a request guard. Put it
/// into a form as the field [`CSRF_FIELD`](super::CSRF_FIELD), or let a script send
/// it as the header [`CSRF_HEADER`](super::CSRF_HEADER).
///
/// `Display` and `Serialize` give its text: 43 characters of base64url, masked anew
/// for every guard. During a change of keys the text may be several of these,
/// joined by dots.
///
/// The token is valid as long as the session, and stays valid through periodic
/// renewals. [`renew`](Session::renew) and [`login`](Session::login) invalidate it.
///
/// Without a session the guard forwards with 403. For a form that is shown before
/// the login, begin a session and call [`Session::csrf_token`].
///
/// # Sessions without a key
///
/// The token needs a server key. If the session has none (`protect = "none"`,
/// Ktor's unsigned ids), the guards refuse launch unless its table has a `secret`,
/// and [`Session::csrf_token`] fails with [`SessionError::Unsupported`]. It also
/// fails for client storage in Ktor's format, which has no id to make a token from.
///
/// ```
/// use rocket::{form::FromForm, get, post, response::content::RawHtml};
/// use rocket_typed_sessions::csrf::{CsrfForm, CsrfToken};
/// use rocket_typed_sessions::SessionData;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct User { id: String }
///
/// impl SessionData for User {
///     const NAME: &'static str = "user";
/// }
///
/// #[derive(FromForm)]
/// struct Transfer { amount: u32 }
///
/// #[get("/transfer")]
/// fn form(csrf: CsrfToken<User>) -> RawHtml<String> {
///     RawHtml(format!(
///         r#"<form method="post"><input name="amount"><input type="hidden" name="csrf_token" value="{csrf}"></form>"#
///     ))
/// }
///
/// #[post("/transfer", data = "<transfer>")]
/// fn transfer(transfer: CsrfForm<User, Transfer>) -> String {
///     format!("{} sent", transfer.amount)
/// }
/// ```
pub struct CsrfToken<T: SessionData> {
    tags: Vec<[u8; LENGTH]>,
    text: String,
    data: PhantomData<fn() -> T>,
}

/// The request does not carry its session's CSRF token. As a `Responder`, it answers 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request does not carry its session's CSRF token")]
pub struct CsrfError;

impl<T: SessionData> CsrfToken<T> {
    fn new(
        keys: &CsrfKeys,
        name: &[u8; 16],
        generation: u32,
        random: &Random,
    ) -> Result<Self, SessionError> {
        let tags = keys.tags(name, generation);
        let text = keys.token(&tags, |tag| {
            let mask: [u8; LENGTH] = random.bytes()?;
            Ok(URL_SAFE_NO_PAD.encode([mask, xor(mask, *tag)].concat()))
        })?;
        Ok(Self { tags, text, data: PhantomData })
    }

    /// Verifies that `submitted` is this session's token, in constant time. Call it
    /// where the token comes neither in a form nor in the header.
    ///
    /// Unlike [`CsrfForm`](super::CsrfForm) and [`CsrfHeader`](super::CsrfHeader),
    /// it does not check the origin of the request.
    ///
    /// ```
    /// # use rocket_typed_sessions::{testing::SessionRequest, SessionData, Sessions};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u32 }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// use rocket::{http::Status, serde::json::Json};
    /// use rocket_typed_sessions::csrf::{CsrfError, CsrfToken};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Message { csrf: String, text: String }
    ///
    /// #[rocket::post("/messages", data = "<message>")]
    /// fn send(csrf: CsrfToken<User>, message: Json<Message>) -> Result<(), CsrfError> {
    ///     csrf.verify(&message.csrf)?;
    ///     rocket::info!("{}", message.text);
    ///     Ok(())
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![send]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let forged = r#"{ "csrf": "guessed", "text": "spam" }"#;
    /// let response = client.post("/messages").body(forged).session(&User { id: 7 }).dispatch();
    /// assert_eq!(response.status(), Status::Forbidden);
    /// ```
    pub fn verify(&self, submitted: &str) -> Result<(), CsrfError> {
        let holds = |token: &str| unmask(token).is_some_and(|tag| self.has(tag));
        let good = holds(submitted) || parts(submitted).any(holds);
        if good { Ok(()) } else { Err(CsrfError) }
    }

    fn has(&self, tag: [u8; LENGTH]) -> bool {
        let any = |same: Choice, own: &[u8; LENGTH]| same | tag.ct_eq(own);
        self.tags.iter().fold(Choice::from(0), any).into()
    }
}

/// Returns the HMAC in one token.
fn unmask(token: &str) -> Option<[u8; LENGTH]> {
    const CHARACTERS: usize = (2 * LENGTH * 4).div_ceil(3);
    // A text of another length is not a token, and is not decoded.
    let decoded = (token.len() == CHARACTERS).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
    let (mask, masked) = decoded.split_first_chunk()?;
    Some(xor(*mask, masked.try_into().ok()?))
}

fn xor(one: [u8; LENGTH], other: [u8; LENGTH]) -> [u8; LENGTH] {
    std::array::from_fn(|at| one[at] ^ other[at])
}

impl<T: SessionData> fmt::Display for CsrfToken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T: SessionData> fmt::Debug for CsrfToken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfToken").field("session", &T::NAME).finish_non_exhaustive()
    }
}

impl<T: SessionData> Serialize for CsrfToken<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'r> Responder<'r, 'static> for CsrfError {
    fn respond_to(self, _: &'r Request<'_>) -> ResponseResult<'static> {
        Err(Status::Forbidden)
    }
}

impl<T: SessionData> Session<T> {
    /// Returns the session's CSRF token, for a form. Returns `None` without a
    /// session. A session that this request begins has a token too, so that a login
    /// form can have one.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unsupported`] if the session has no key to make the token
    /// with. The text says what to write in Rocket.toml. See [`CsrfToken`].
    ///
    /// ```
    /// # use rocket_typed_sessions::{Session, SessionData, SessionError, Sessions};
    /// # #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
    /// # struct User { name: Option<String> }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// use rocket::response::content::RawHtml;
    ///
    /// #[rocket::get("/login")]
    /// fn login_page(session: Session<User>) -> Result<Option<RawHtml<String>>, SessionError> {
    ///     session.get_or_insert_with(User::default);
    ///     let field = |csrf| RawHtml(format!(r#"<input type="hidden" name="csrf_token" value="{csrf}">"#));
    ///     Ok(session.csrf_token()?.map(field))
    /// }
    /// # let figment = rocket::Config::figment().merge(("sessions.user.storage", "memory"));
    /// # let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", rocket::routes![login_page]);
    /// # let client = rocket::local::blocking::Client::untracked(rocket).unwrap();
    ///
    /// let page = client.get("/login").dispatch().into_string().unwrap();
    /// assert!(page.starts_with(r#"<input type="hidden" name="csrf_token" value=""#));
    /// ```
    pub fn csrf_token(&self) -> Result<Option<CsrfToken<T>>, SessionError> {
        let entry = self.entry();
        let tokens = entry.definition.tokens();
        if tokens.writes_ktor() && matches!(entry.definition.tracker, Tracker::ByValue(_)) {
            let why = "Ktor's format has no session id to make a CSRF token from";
            return Err(SessionError::Unsupported(why.into()));
        }
        let keys = tokens.csrf()?;
        let Some((name, generation)) = entry.csrf_name()? else { return Ok(None) };
        CsrfToken::new(keys, &name, generation, &entry.core().random).map(Some)
    }
}

/// The token of the request's session.
pub(super) async fn load_token<T: SessionData>(
    request: &Request<'_>,
) -> Result<Option<CsrfToken<T>>, SessionError> {
    match Session::<T>::from_request(request).await {
        Outcome::Success(session) => session.csrf_token(),
        Outcome::Error((_, cause)) => Err(cause),
        Outcome::Forward(_) => Ok(None),
    }
}

#[rocket::async_trait]
impl<'r, T: SessionData> FromRequest<'r> for CsrfToken<T> {
    type Error = SessionError;

    async fn from_request(request: &'r Request<'_>) -> GuardOutcome<Self, SessionError> {
        match load_token(request).await {
            Ok(Some(token)) => Outcome::Success(token),
            Ok(None) => Outcome::Forward(Status::Forbidden),
            Err(cause) => Outcome::Error((cause.status(), cause)),
        }
    }
}
