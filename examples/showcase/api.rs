//! The JSON interface: a cart whose session is in a header, for clients without cookies.
//! No other site can send that header, so no form and no token is needed.

use rocket::fairing::{AdHoc, Fairing};
use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{delete, get, options, post};
use rocket_typed_sessions::Session;
use serde::Deserialize;

use super::cart::Shown;
use super::products;
use super::session::Mobile;

/// The header of `[default.sessions.mobile]`.
const HEADER: &str = "Shop-Session";

#[derive(Deserialize)]
pub struct Config {
    app_origin: String,
}

/// Lets the pages of one origin read the answers and send the header (CORS).
pub fn fairing() -> impl Fairing {
    AdHoc::on_response("CORS", |request, response| {
        Box::pin(async move {
            let Some(config) = request.rocket().state::<Config>() else { return };
            if !request.uri().path().starts_with("/api/") {
                return;
            }
            response.set_raw_header("Access-Control-Allow-Origin", config.app_origin.clone());
            response.set_raw_header("Access-Control-Expose-Headers", HEADER);
            let allowed = format!("Content-Type, {HEADER}");
            response.set_raw_header("Access-Control-Allow-Headers", allowed);
            response.set_raw_header("Access-Control-Allow-Methods", "GET, POST, DELETE");
        })
    })
}

/// What a browser asks before it sends a header of ours.
#[options("/<_..>")]
pub fn preflight() -> Status {
    Status::NoContent
}

#[get("/cart")]
pub fn cart(session: Session<Mobile>) -> Json<Shown> {
    let mobile = session.get().as_deref().cloned().unwrap_or_default();
    Json(mobile.cart.shown())
}

#[derive(Clone, Copy, Deserialize)]
pub struct Item {
    product: u32,
    quantity: u32,
}

/// The first item begins a session. Its answer has the header that the client sends from then on.
#[post("/cart", data = "<item>")]
pub fn add(session: Session<Mobile>, item: Json<Item>) -> Result<Json<Shown>, Status> {
    let Item { product, quantity } = item.into_inner();
    products::find(product).ok_or(Status::NotFound)?;
    session.get_or_insert_with(Mobile::default);
    session.update(move |mobile| mobile.cart.add(product, quantity));
    Ok(cart(session))
}

#[delete("/cart")]
pub fn end(session: Session<Mobile>) -> Status {
    session.clear();
    Status::NoContent
}
