//! Methods of HTTP.

use rocket::http::Method;

/// Whether a request with this method asks for no change (RFC 9110, section 9.2.1).
pub(crate) fn is_safe(method: Method) -> bool {
    matches!(method, Method::Get | Method::Head | Method::Options | Method::Trace)
}
