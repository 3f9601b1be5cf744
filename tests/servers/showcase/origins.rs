//! The JSON interface from a page of another origin.

use rocket::figment::Figment;
use rocket::response::content::RawHtml;
use rocket::{get, routes};

use super::shop::{Shop, Site, in_browser};

#[get("/")]
fn page() -> RawHtml<&'static str> {
    RawHtml("<!doctype html><title>A mobile client</title>")
}

/// Puts two mugs into the cart, then one more with the header that came back.
const CLIENT: &str = r#"
    const [api] = arguments;
    const add = async (quantity, headers) => {
        const answer = await fetch(api, {
            method: "POST",
            headers: { "Content-Type": "application/json", ...headers },
            body: JSON.stringify({ product: 2, quantity }),
        });
        return [answer.headers.get("Shop-Session"), await answer.json()];
    };
    try {
        const [session] = await add(2, {});
        const [, cart] = await add(1, { "Shop-Session": session });
        return `${cart.lines[0].quantity} mugs, ${document.cookie}`;
    } catch (error) {
        return error.name;
    }"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_origin_carries_a_session_in_a_header_and_no_other_origin_does() {
    let app = Site::launch(Figment::new(), |rocket| rocket.mount("/", routes![page])).await;
    let (origin, other) = ("http://localhost", "http://app.localhost");
    let shop = Shop::start(&[format!("ROCKET_APP_ORIGIN={origin}:{}", app.port)]);
    in_browser(async |browser| {
        for (origin, expected) in [(origin, "3 mugs, "), (other, "TypeError")] {
            browser.open(&format!("{origin}:{}/", app.port)).await;
            let said = browser.script(CLIENT, vec![shop.at("/api/cart").into()]).await;
            assert_eq!(said, expected, "{origin}");
        }
        browser.open(&shop.at("/cart")).await;
        browser.shows("Your cart is empty.").await;
    })
    .await;
}
