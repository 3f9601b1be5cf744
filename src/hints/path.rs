//! A session that begins outside of its cookie's path.

use rocket::Request;

/// Whether a browser sends a cookie with `path` to `requested` (RFC 6265 section 5.1.4).
pub(super) fn is_within(requested: &str, path: &str) -> bool {
    requested
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
}

pub(super) fn hint(request: &Request<'_>, path: &str) -> String {
    let mut routes = request.rocket().routes();
    let has_routes = routes.any(|route| is_within(route.uri.path(), path));
    // The path itself may hold a secret, such as the token of a link.
    let route = request.route().map_or_else(String::new, |route| format!(" to `{}`", route.uri));
    let what = format!(
        "a request{route} began a session, and its cookie's path is {path:?}. Browsers do not send the cookie back to that route, which begins another session each time."
    );
    if has_routes {
        format!("{what} Mount the route below {path:?}, or write `cookie = {{ path = \"/\" }}`.")
    } else {
        format!(
            "{what} No route is mounted below {path:?}. Unless a proxy puts that path in front, write `cookie = {{ path = \"/\" }}`."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_path_covers_itself_and_what_is_below_it() {
        for (requested, path) in [
            ("/", "/"),
            ("/shop", "/"),
            ("/shop", "/shop"),
            ("/shop/", "/shop"),
            ("/shop/cart", "/shop"),
            ("/shop/cart", "/shop/"),
        ] {
            assert!(is_within(requested, path), "{requested} {path}");
        }
        for (requested, path) in
            [("/", "/shop"), ("/shopping", "/shop"), ("/shop", "/shop/"), ("/Shop", "/shop")]
        {
            assert!(!is_within(requested, path), "{requested} {path}");
        }
    }
}
