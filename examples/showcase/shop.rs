//! The pages of the shop: products, and the cart of whoever asks.

use rocket::http::Status;
use rocket::response::{Flash, Redirect};
use rocket::{FromForm, get, post, uri};
use rocket_dyn_templates::{Template, context};
use rocket_typed_sessions::csrf::CsrfForm;
use rocket_typed_sessions::{Session, SessionError};

use super::page::Page;
use super::products::{self, PRODUCTS};
use super::session::Shopper;

/// It begins no session, and is shown while the storage is down.
#[get("/")]
pub fn index(page: Page<'_>) -> Result<Template, SessionError> {
    page.show("index", context! { products: PRODUCTS })
}

/// A visitor's session begins here, because the form needs a token.
#[get("/products/<id>")]
pub fn product(
    page: Page<'_>,
    session: Session<Shopper>,
    id: u32,
) -> Result<Option<Template>, SessionError> {
    let Some(product) = products::find(id) else { return Ok(None) };
    session.get_or_insert_with(Shopper::default);
    page.show("product", context! { product }).map(Some)
}

#[get("/cart")]
pub fn cart(page: Page<'_>, session: Session<Shopper>) -> Result<Template, SessionError> {
    let cart = session.get().map(|shopper| shopper.cart.shown());
    page.show("cart", context! { cart })
}

#[derive(FromForm)]
pub struct Item {
    product: u32,
    #[field(default = 1, validate = range(1..=20))]
    quantity: u32,
}

/// Two of these at the same time both count: `update` is applied again to what the other wrote.
#[post("/cart", data = "<item>")]
pub fn add(
    session: Session<Shopper>,
    item: CsrfForm<Shopper, Item>,
) -> Result<Flash<Redirect>, Status> {
    let Item { product, quantity } = item.into_inner();
    products::find(product).ok_or(Status::NotFound)?;
    session.update(move |shopper| shopper.cart.add(product, quantity));
    Ok(Flash::success(Redirect::to(uri!(cart)), "added"))
}

#[post("/cart/remove", data = "<item>")]
pub fn remove(session: Session<Shopper>, item: CsrfForm<Shopper, Item>) -> Flash<Redirect> {
    let product = item.product;
    session.update(move |shopper| shopper.cart.remove(product));
    Flash::success(Redirect::to(uri!(cart)), "removed")
}
