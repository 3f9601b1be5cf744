//! Where a user is logged in: one session for each browser.

use std::time::SystemTime;

use rocket::response::{Flash, Redirect};
use rocket::{FromForm, get, post, uri};
use rocket_dyn_templates::{Template, context};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::{SessionError, SessionHandle, SessionInfo, Sessions};
use serde::Serialize;

use super::page::{Button, Page};
use super::session::Shopper;
use super::user::User;

#[derive(Serialize)]
struct Device {
    handle: String,
    /// What the browser says of itself. The template escapes it.
    browser: Option<String>,
    address: Option<String>,
    minutes: u64,
    is_this: bool,
}

impl Device {
    fn new(device: SessionInfo<Shopper>, user: &User) -> Self {
        let seen = SystemTime::now().duration_since(device.last_seen_at).unwrap_or_default();
        let client = device.client.as_ref();
        Self {
            handle: device.handle.to_string(),
            browser: client.and_then(|client| client.user_agent.clone()),
            address: client.and_then(|client| client.address).map(|address| address.to_string()),
            minutes: seen.as_secs() / 60,
            is_this: user.session.handle() == Some(device.handle),
        }
    }
}

#[get("/devices")]
pub async fn list(
    page: Page<'_>,
    user: User,
    sessions: &Sessions,
) -> Result<Template, SessionError> {
    let found = sessions.of::<Shopper>().list(&user.account.id).await?.into_iter();
    let devices: Vec<_> = found.map(|device| Device::new(device, &user)).collect();
    page.show("devices", context! { devices })
}

#[derive(FromForm)]
pub struct Chosen<'r> {
    device: &'r str,
}

#[post("/devices/end", data = "<form>")]
pub async fn end(
    user: User,
    sessions: &Sessions,
    form: CsrfForm<Shopper, Chosen<'_>>,
) -> Result<Flash<Redirect>, SessionError> {
    // The owner comes from the session, never from the form.
    let handle = SessionHandle::from(form.device);
    let was_there = sessions.of::<Shopper>().revoke(&user.account.id, &handle).await?;
    let message = if was_there { "device_logged_out" } else { "no_such_device" };
    Ok(Flash::success(Redirect::to(uri!(list)), message))
}

#[post("/devices/others", data = "<_form>")]
pub async fn others(
    user: User,
    sessions: &Sessions,
    _form: Button,
) -> Result<Flash<Redirect>, SessionError> {
    sessions.of::<Shopper>().revoke_others(&user.session).await?;
    Ok(Flash::success(Redirect::to(uri!(list)), "others_logged_out"))
}

#[post("/devices/everywhere", data = "<_form>")]
pub async fn everywhere(
    user: User,
    sessions: &Sessions,
    _form: Button,
) -> Result<Flash<Redirect>, SessionError> {
    sessions.of::<Shopper>().revoke_owner(&user.account.id).await?;
    Ok(Flash::success(Redirect::to("/"), "everywhere_logged_out"))
}
