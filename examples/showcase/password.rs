//! Changes the password, and asks for it again.

use rocket::response::{Flash, Redirect};
use rocket::{FromForm, State, get, post, uri};
use rocket_dyn_templates::{Template, context};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::{SessionError, Sessions};

use super::accounts::Accounts;
use super::login::is_password;
use super::next::Next;
use super::page::{Page, Refusal};
use super::session::Shopper;
use super::user::User;

#[derive(FromForm)]
pub struct Change<'r> {
    password: &'r str,
    new_password: &'r str,
}

#[get("/password")]
pub fn form(page: Page<'_>, _user: User) -> Result<Template, SessionError> {
    page.show("password", context! {})
}

/// Whoever knew the former password is logged out.
#[post("/password", data = "<form>")]
pub async fn change(
    page: Page<'_>,
    user: User,
    accounts: &State<Accounts>,
    sessions: &Sessions,
    form: CsrfForm<Shopper, Change<'_>>,
) -> Result<Flash<Redirect>, Refusal> {
    if accounts.verify(&user.account.name, form.password).is_none() {
        return Err(page.refuse("password", "wrong_password", context! {}));
    }
    if !is_password(form.new_password) {
        return Err(page.refuse("password", "short_password", context! {}));
    }
    accounts.change_password(&user.account.id, form.new_password);
    user.session.reauthenticate();
    sessions.of::<Shopper>().revoke_others(&user.session).await?;
    Ok(Flash::success(Redirect::to(uri!(super::devices::list)), "password_changed"))
}

#[derive(FromForm)]
pub struct Proof<'r> {
    password: &'r str,
}

#[get("/confirm?<next>")]
pub fn confirm_form(page: Page<'_>, _user: User, next: Next) -> Result<Template, SessionError> {
    page.show("confirm", context! { action: uri!(confirm(next)) })
}

#[post("/confirm?<next>", data = "<form>")]
pub fn confirm(
    page: Page<'_>,
    user: User,
    accounts: &State<Accounts>,
    next: Next,
    form: CsrfForm<Shopper, Proof<'_>>,
) -> Result<Redirect, Refusal> {
    if accounts.verify(&user.account.name, form.password).is_none() {
        let content = context! { action: uri!(confirm(next)) };
        return Err(page.refuse("confirm", "wrong_password", content));
    }
    user.session.reauthenticate();
    Ok(next.into())
}
