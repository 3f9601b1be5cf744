//! Registers, logs in and logs out.

use std::time::Duration;

use rocket::response::{Flash, Redirect};
use rocket::{Either, FromForm, State, get, post, uri};
use rocket_dyn_templates::{Template, context};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::{Absence, Lifetime, Session, SessionError};

use super::accounts::{Account, Accounts};
use super::next::Next;
use super::page::{Button, Page, Refusal};
use super::session::Shopper;
use super::user::User;

const MONTH: Duration = Duration::from_secs(30 * 86_400);

#[derive(FromForm)]
pub struct Credentials<'r> {
    name: &'r str,
    password: &'r str,
    #[field(default = false)]
    remember: bool,
}

/// Either the form, or on to where it leads.
type Form = Result<Either<Redirect, Template>, SessionError>;

/// Another session begins. What the visitor had in the cart joins it.
fn begin(
    session: &Session<Shopper>,
    account: &Account,
    remember: bool,
) -> Result<(), SessionError> {
    let id = account.id.clone();
    session.login_with(move |before| Shopper {
        user: Some(id.clone()),
        cart: before.map(|shopper| shopper.cart.clone()).unwrap_or_default(),
    });
    session.set_lifetime(if remember { Lifetime::Idle(MONTH) } else { Lifetime::BrowserSession })
}

#[get("/login?<next>")]
pub fn form(page: Page<'_>, session: Session<Shopper>, user: Option<User>, next: Next) -> Form {
    if user.is_some() {
        return Ok(Either::Left(next.into()));
    }
    // A form needs a session for its token. So a visitor's begins here.
    session.get_or_insert_with(Shopper::default);
    let has_ended = session.absence() == Some(Absence::Ended);
    let (action, register) = (uri!(log_in(&next)), uri!(register_form(&next)));
    page.show("login", context! { action, register, has_ended }).map(Either::Right)
}

#[post("/login?<next>", data = "<form>")]
pub fn log_in(
    page: Page<'_>,
    session: Session<Shopper>,
    accounts: &State<Accounts>,
    next: Next,
    form: CsrfForm<Shopper, Credentials<'_>>,
) -> Result<Flash<Redirect>, Refusal> {
    let Some(account) = accounts.verify(form.name, form.password) else {
        let (action, register) = (uri!(log_in(&next)), uri!(register_form(&next)));
        let content = context! { action, register, name: form.name };
        return Err(page.refuse("login", "wrong_password", content));
    };
    begin(&session, &account, form.remember)?;
    Ok(Flash::success(next.into(), "welcome"))
}

#[get("/register?<next>")]
pub fn register_form(
    page: Page<'_>,
    session: Session<Shopper>,
    user: Option<User>,
    next: Next,
) -> Form {
    if user.is_some() {
        return Ok(Either::Left(next.into()));
    }
    session.get_or_insert_with(Shopper::default);
    page.show("register", context! { action: uri!(register(next)) }).map(Either::Right)
}

#[post("/register?<next>", data = "<form>")]
pub fn register(
    page: Page<'_>,
    session: Session<Shopper>,
    accounts: &State<Accounts>,
    next: Next,
    form: CsrfForm<Shopper, Credentials<'_>>,
) -> Result<Flash<Redirect>, Refusal> {
    let refuse = |problem| {
        let content = context! { action: uri!(register(&next)), name: form.name };
        page.refuse("register", problem, content)
    };
    if !is_name(form.name) {
        return Err(refuse("bad_name"));
    }
    if !is_password(form.password) {
        return Err(refuse("short_password"));
    }
    // The second click of a double click finds the account that the first one made.
    let account = accounts
        .register(form.name, form.password)
        .or_else(|| accounts.verify(form.name, form.password))
        .ok_or_else(|| refuse("name_taken"))?;
    begin(&session, &account, form.remember)?;
    Ok(Flash::success(next.into(), "welcome"))
}

fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

pub fn is_password(password: &str) -> bool {
    password.chars().count() >= 8
}

#[post("/logout", data = "<_form>")]
pub fn log_out(user: User, _form: Button) -> Flash<Redirect> {
    user.session.clear();
    Flash::success(Redirect::to("/"), "bye")
}

/// The second click of a double click.
#[post("/logout", rank = 2)]
pub fn is_logged_out() -> Redirect {
    Redirect::to("/")
}
