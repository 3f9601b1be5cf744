//! The pages of errors.

use rocket::http::Status;
use rocket::response::Redirect;
use rocket::serde::json::{Json, Value, json};
use rocket::{Request, catch, uri};
use rocket_dyn_templates::{Template, context};

use super::next::Next;
use super::page::Page;
use super::user::User;

type Shown = Result<(Status, Template), Status>;

/// What is written for 401, 403, 404, 500 and 503, and for all others.
#[catch(default)]
pub async fn page(status: Status, request: &Request<'_>) -> Shown {
    let page = request.guard::<Page<'_>>().await.succeeded().ok_or(status)?;
    let code = match status.code {
        code @ (401 | 403 | 404 | 500 | 503) => code.to_string(),
        _ => "other".to_owned(),
    };
    let content = context! { title: format!("error_{code}"), text: format!("error_{code}_text") };
    let shown = page.show("error", content).map_err(|_| status)?;
    Ok((status, shown))
}

/// The second click on "Log in" carries the form of a visitor and the session of a user. Whoever
/// is logged in goes on to where the login leads.
#[catch(403)]
pub async fn old_form(request: &Request<'_>) -> Result<Redirect, Shown> {
    if request.guard::<User>().await.is_success() {
        return Ok(Next::of(request).into());
    }
    Err(page(Status::Forbidden, request).await)
}

/// The second click on "Confirm" carries the id from before the first one. The page of the login
/// sees the new id, and goes on.
#[catch(401)]
pub fn old_session(request: &Request<'_>) -> Redirect {
    Redirect::to(uri!(super::login::form(Next::of(request))))
}

#[catch(default)]
pub fn json(status: Status, _: &Request<'_>) -> Json<Value> {
    Json(json!({ "error": status.reason_lossy() }))
}
