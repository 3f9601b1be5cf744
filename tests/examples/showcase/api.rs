//! The JSON interface, whose session is in a header.

use crate::server::*;

#[test]
fn a_mobile_client_carries_its_session_in_a_header_and_one_origin_may_read_it() {
    let server = Server::start("showcase", &[("ROCKET_APP_ORIGIN", "https://app.example")]);
    let json = ["-i", "-H", "Content-Type: application/json", "-H", "Origin: https://app.example"];
    let add = |more: &[&str], item: &str| {
        server.curl("/api/cart", &[&json[..], &["-d", item], more].concat())
    };
    let first = add(&[], r#"{"product":2,"quantity":3}"#);
    let carried = format!("Shop-Session: {}", header(&first, "Shop-Session").expect("a token"));
    assert_eq!(header(&first, "Set-Cookie"), None);
    assert_eq!(header(&first, "Cache-Control"), Some("no-store"));
    let with = ["-H", &*carried];
    let second = add(&with, r#"{"product":2,"quantity":1}"#);
    assert_eq!(header(&second, "Shop-Session"), None, "the client has it already");
    assert!(body(&second).ends_with(r#""quantity":4,"price":"€51.20"}],"total":"€51.20"}"#));
    for answer in [&first, &second] {
        assert_eq!(header(answer, "Access-Control-Allow-Origin"), Some("https://app.example"));
        assert_eq!(header(answer, "Access-Control-Expose-Headers"), Some("Shop-Session"));
        assert_eq!(header(answer, "Access-Control-Allow-Credentials"), None);
    }

    let asks = ["-i", "-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST"];
    let preflight = server.curl("/api/cart", &[&asks[..], &with].concat());
    assert!(preflight.starts_with("HTTP/1.1 204"), "{preflight}");
    let allowed = header(&preflight, "Access-Control-Allow-Headers");
    assert_eq!(allowed, Some("Content-Type, Shop-Session"));
    assert_eq!(header(&server.curl("/cart", &["-i"]), "Access-Control-Allow-Origin"), None);

    let unknown = add(&with, r#"{"product":7,"quantity":1}"#);
    assert_eq!(body(&unknown), r#"{"error":"Not Found"}"#);
    server.curl("/api/cart", &[&with[..], &["-X", "DELETE"]].concat());
    let after = server.curl("/api/cart", &with);
    assert_eq!(after, r#"{"lines":[],"total":"€0.00"}"#);
}
