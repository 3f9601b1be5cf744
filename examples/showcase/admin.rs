//! For admins who have given their password in the last ten minutes.

use std::sync::Arc;

use rocket::response::{Flash, Redirect};
use rocket::{FromForm, State, get, post, uri};
use rocket_dyn_templates::{Template, context};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::{RecentlyAuthenticated, SessionError, Sessions};
use serde::Serialize;

use super::accounts::{Account, Accounts};
use super::next::Next;
use super::page::Page;
use super::session::Shopper;
use super::user::Admin;

type Recent = RecentlyAuthenticated<Shopper, 10>;

#[derive(Serialize)]
struct Row {
    account: Arc<Account>,
    devices: usize,
}

#[get("/admin")]
pub async fn area(
    page: Page<'_>,
    _admin: Admin,
    _recent: Recent,
    accounts: &State<Accounts>,
    sessions: &Sessions,
) -> Result<Template, SessionError> {
    let mut rows = Vec::new();
    for account in accounts.all() {
        let devices = sessions.of::<Shopper>().list(&account.id).await?.len();
        rows.push(Row { account, devices });
    }
    page.show("admin", context! { rows })
}

/// Rocket comes here if the login is too old.
#[get("/admin", rank = 2)]
pub fn confirm_first(_admin: Admin) -> Redirect {
    Redirect::to(uri!(super::password::confirm_form(Next::new("/admin"))))
}

#[derive(FromForm)]
pub struct Chosen<'r> {
    account: &'r str,
}

#[post("/admin/logout", data = "<form>")]
pub async fn log_out(
    _admin: Admin,
    _recent: Recent,
    sessions: &Sessions,
    form: CsrfForm<Shopper, Chosen<'_>>,
) -> Result<Flash<Redirect>, SessionError> {
    sessions.of::<Shopper>().revoke_owner(form.account).await?;
    Ok(Flash::success(Redirect::to(uri!(area)), "account_logged_out"))
}

#[post("/admin/logout", rank = 2)]
pub fn confirm_before_log_out(_admin: Admin) -> Redirect {
    Redirect::to(uri!(super::password::confirm_form(Next::new("/admin"))))
}
