//! Language and theme: a session of its own, which the client carries.

use rocket::response::{Flash, Redirect};
use rocket::{get, post, uri};
use rocket_dyn_templates::{Template, context};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::{Session, SessionError};

use super::next::Next;
use super::page::Page;
use super::session::Preferences;

#[get("/preferences?<next>")]
pub fn form(
    page: Page<'_>,
    session: Session<Preferences>,
    next: Next,
) -> Result<Template, SessionError> {
    session.get_or_insert_with(Preferences::default);
    let token = session.csrf_token()?;
    page.show("preferences", context! { action: uri!(save(next)), token })
}

#[post("/preferences?<next>", data = "<form>")]
pub fn save(
    session: Session<Preferences>,
    next: Next,
    form: CsrfForm<Preferences, Preferences>,
) -> Flash<Redirect> {
    session.set(form.into_inner());
    Flash::success(next.into(), "saved")
}
