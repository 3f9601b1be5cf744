//! Who a session belongs to: logins, new ids, and when its user was last seen to be
//! who they are.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Session;
use crate::data::SessionData;
use crate::storage::Timestamp;
use crate::token::SessionId;

impl<T: SessionData> Session<T> {
    /// [`set`](Self::set) that always takes a fresh id and begins a new
    /// lifetime: what a login route calls. It ends every other session that the
    /// request presented.
    pub fn login(&self, value: T) {
        self.entry.set(value, true);
    }

    /// A [`login`](Self::login) that keeps something of the session before it,
    /// a cart for instance. Returns the value.
    ///
    /// `f` makes the value, first without a former session. If there is one, and
    /// it has no owner or the same as that value, `f` runs again with it, and
    /// that result counts unless it has another owner. When a concurrent request
    /// writes to the former session first, `f` is applied **again** to what that
    /// wrote, so that nothing is lost. It may read the session and not change it.
    ///
    /// The former session may have been planted in the browser by somebody else:
    /// keep nothing of it that a stranger must not choose.
    ///
    /// ```
    /// use rocket::post;
    /// use rocket_typed_sessions::{Session, SessionData};
    /// use serde::{Deserialize, Serialize};
    /// use std::borrow::Cow;
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct Shop { user: Option<String>, cart: Vec<u32> }
    ///
    /// impl SessionData for Shop {
    ///     const NAME: &'static str = "shop";
    ///
    ///     fn owner(&self) -> Option<Cow<'_, str>> {
    ///         self.user.as_deref().map(Cow::from)
    ///     }
    /// }
    ///
    /// #[post("/login")]
    /// fn login(session: Session<Shop>) {
    ///     session.login_with(|former| Shop {
    ///         user: Some("ann".into()),
    ///         cart: former.map(|shop| shop.cart.clone()).unwrap_or_default(),
    ///     });
    /// }
    /// ```
    pub fn login_with(&self, f: impl Fn(Option<&T>) -> T + Send + 'static) -> Arc<T> {
        self.entry.login_with(f)
    }

    /// A new id for the same session: same data, same beginning. The old id is
    /// worth nothing once this request is committed (checklist S5), and so is every
    /// CSRF token from before.
    pub fn renew(&self) {
        self.entry.ask(|state, _| state.pending.renew = true);
    }

    /// The session's user has just proven once more who they are: with a password
    /// before a payment, for example. [`authenticated_at`](Self::authenticated_at) is
    /// the present, and the session has a new id at once. Its data, its beginning, its
    /// lifetime and its CSRF tokens stay, so that forms in other tabs can still be sent.
    /// It commits as [`update`](Self::update) does: without a session it does nothing.
    ///
    /// With client storage there is no id; the token is sent again.
    ///
    /// ```
    /// use rocket::{form::Form, http::Status, post};
    /// # use rocket::form::FromForm;
    /// # use rocket_typed_sessions::{Session, SessionData};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct User { id: String }
    /// # impl SessionData for User { const NAME: &'static str = "user"; }
    /// # #[derive(FromForm)]
    /// # struct Proof { password: String }
    /// # fn is_right(_: &str, _: &str) -> bool { true }
    ///
    /// #[post("/confirm", data = "<proof>")]
    /// fn confirm(session: Session<User>, proof: Form<Proof>) -> Status {
    ///     match session.get() {
    ///         Some(user) if is_right(&user.id, &proof.password) => {
    ///             session.reauthenticate();
    ///             Status::NoContent
    ///         }
    ///         _ => Status::Forbidden,
    ///     }
    /// }
    /// ```
    pub fn reauthenticate(&self) {
        self.entry.ask(|state, _| state.pending.reauthenticate = true);
    }

    /// The session's id. For server storage, valid right after `set` and
    /// `login` too; `None` for client storage and without a session.
    ///
    /// The commit gives another id than it was asked for in two cases: the
    /// record that a `login` meant to replace has ended meanwhile, or another
    /// request renewed the session first (see `renewal_grace`).
    pub fn id(&self) -> Option<SessionId> {
        self.entry.id()
    }

    /// When the session's user last logged in: the last `login`, or a change of
    /// the owner. `None` without a session, and for one that began without
    /// either. For "confirm your password" pages.
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        let times = self.entry.times()?;
        let ever = times.authenticated != Timestamp::ZERO;
        ever.then(|| times.authenticated.to_system_time())?
    }

    /// Whether the session's user logged in no longer than `age` ago. Asks for
    /// the password again where it matters; as a guard:
    /// [`RecentlyAuthenticated`](crate::RecentlyAuthenticated).
    ///
    /// ```
    /// use rocket::{get, http::Status};
    /// use rocket_typed_sessions::{Session, SessionData};
    /// use serde::{Deserialize, Serialize};
    /// use std::time::Duration;
    ///
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User { id: String }
    ///
    /// impl SessionData for User {
    ///     const NAME: &'static str = "user";
    /// }
    ///
    /// #[get("/keys")]
    /// fn keys(session: Session<User>) -> Result<&'static str, Status> {
    ///     let recent = session.authenticated_within(Duration::from_secs(600));
    ///     if recent { Ok("your keys") } else { Err(Status::Unauthorized) }
    /// }
    /// ```
    pub fn authenticated_within(&self, age: Duration) -> bool {
        let now = self.entry.now();
        self.entry.times().is_some_and(|times| {
            times.authenticated != Timestamp::ZERO && now.since(times.authenticated) <= age
        })
    }
}
