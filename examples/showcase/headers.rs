//! What browsers may do with the pages: no scripts, nothing of other sites, in no frame.

use rocket::fairing::{AdHoc, Fairing};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

pub fn fairing() -> impl Fairing {
    AdHoc::on_response("Content-Security-Policy", |_, response| {
        Box::pin(async move {
            response.set_raw_header("Content-Security-Policy", POLICY);
        })
    })
}
