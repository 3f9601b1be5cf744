//! Tokens in a cookie, read from the raw `Cookie` headers by exact bytes.
//!
//! Rocket's jar percent-decodes names and keeps the last of several, so that
//! `%5F%5FHost-s=evil` would replace a genuine `__Host-s` (checklist S9, S10).

use std::borrow::Cow;
use std::time::Duration;

use rocket::http::Header;
use rocket::{Request, Response};

use super::attributes::CookieConfig;
use super::{MaxAge, Outgoing, SessionTransport, SizeLimit};
use crate::expiry::Timestamp;
use crate::ktor::CookieEncoding;

/// Name, value and attributes that every browser keeps (rfc6265bis section 5.7).
const MAX_BYTES: usize = 4096;
/// More values of one name than this are no session; one more is read to see it.
const MAX_VALUES: usize = 4;
/// Browsers keep no cookie for more than 400 days (rfc6265bis section 5.6).
pub(crate) const LONGEST_COOKIE: Duration = Duration::from_secs(400 * 86_400);
const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Reads and writes one cookie.
pub(crate) struct CookieTransport {
    max_age: Option<u64>,
    /// The attributes that every `Set-Cookie` of this session has, removals
    /// included: browsers match a removal by them (checklist S11).
    attributes: String,
    /// A quoted value may hold `;`.
    quotes: bool,
}

impl CookieTransport {
    pub fn new(config: &CookieConfig) -> Self {
        let max_age = config.max_age.map(seconds);
        let quotes =
            matches!(config.ktor_encoding, Some(CookieEncoding::Raw | CookieEncoding::Dquotes));
        Self { max_age, attributes: config.to_string(), quotes }
    }

    fn set_cookie(&self, response: &mut Response<'_>, name: &str, value: &str, lifetime: &str) {
        // One `Set-Cookie` a name: whatever this session sent before is replaced.
        let prefix = format!("{name}=");
        let others: Vec<String> = response
            .headers()
            .get("Set-Cookie")
            .filter(|cookie| !cookie.starts_with(&prefix))
            .map(str::to_owned)
            .collect();
        response.remove_header("Set-Cookie");
        for other in others {
            response.adjoin_header(Header::new("Set-Cookie", other));
        }
        let attributes = &self.attributes;
        response.adjoin_header(Header::new(
            "Set-Cookie",
            format!("{prefix}{value}{lifetime}{attributes}"),
        ));
    }
}

impl SessionTransport for CookieTransport {
    fn receive<'r>(&self, request: &'r Request<'_>, name: &str) -> Vec<Cow<'r, str>> {
        let mut headers = request.headers().get("Cookie").peekable();
        if headers.peek().is_none() {
            // Rocket's local client keeps its cookies in the jar only.
            let cookie = request.cookies().get(name);
            return cookie
                .map(|cookie| Cow::Owned(cookie.value().to_owned()))
                .into_iter()
                .collect();
        }
        let pairs = headers.flat_map(|header| pairs(header, self.quotes));
        let values = pairs.filter_map(|pair| pair_value(pair, name));
        values.take(MAX_VALUES + 1).map(Cow::Borrowed).collect()
    }

    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
        let max_age = match outgoing.max_age {
            MaxAge::Configured => self.max_age,
            MaxAge::Of(age) => Some(seconds(age)),
            MaxAge::Session => None,
        };
        let lifetime = max_age.map_or_else(String::new, |seconds| {
            let expires = http_date(outgoing.now.after(Duration::from_secs(seconds)));
            format!("; Max-Age={seconds}; Expires={expires}")
        });
        self.set_cookie(response, name, outgoing.token, &lifetime);
    }

    fn clear(&self, response: &mut Response<'_>, name: &str) {
        self.set_cookie(response, name, "", &format!("; Max-Age=0; Expires={EPOCH}"));
    }

    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        Some("Cookie")
    }

    fn limit(&self, name: &str) -> SizeLimit {
        // Any session may have a lifetime of its own, of up to eight digits.
        let lifetime = "; Max-Age=12345678; Expires=".len() + EPOCH.len();
        SizeLimit { bytes: MAX_BYTES, overhead: name.len() + 1 + lifetime + self.attributes.len() }
    }
}

/// Whole seconds for `Max-Age`.
fn seconds(age: Duration) -> u64 {
    age.min(LONGEST_COOKIE).as_secs().max(1)
}

/// The pairs of a `Cookie` header. `quotes` lets a quoted value hold `;`.
fn pairs(header: &str, quotes: bool) -> impl Iterator<Item = &str> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let text = rest?;
        let start = if quotes { end_of_quoted(text) } else { 0 };
        let end = text[start..].find(';').map(|end| start + end);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// Where the first pair's value ends, if it is quoted. A quote within a value is
/// a character like any other.
fn end_of_quoted(text: &str) -> usize {
    let quoted = text.split_once("=\"").filter(|(name, _)| !name.contains(['=', ';']));
    let end = quoted.and_then(|(_, value)| Some(text.len() - value.len() + value.find('"')?));
    end.unwrap_or(0)
}

/// The value of a `name=value` pair with exactly this name. Only the space and
/// tab around a pair are not part of it.
fn pair_value<'a>(pair: &'a str, name: &str) -> Option<&'a str> {
    let pair = pair.trim_matches([' ', '\t']);
    pair.strip_prefix(name)?.strip_prefix('=')
}

/// An RFC 9110 date. Times beyond the calendar's end stop there.
fn http_date(time: Timestamp) -> String {
    const LAST: Timestamp = Timestamp::from_millis(253_402_300_799_000); // 9999-12-31T23:59:59Z
    let time = time.min(LAST).to_system_time();
    time.map_or_else(|| EPOCH.to_owned(), httpdate::fmt_http_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_names_match_by_exact_bytes() {
        assert_eq!(pair_value(" s=1 ", "s"), Some("1"));
        assert_eq!(pair_value("s=", "s"), Some(""));
        for pair in ["S=1", "s =1", "%73=1", "\u{2000}s=1", "ss=1", "s", "", "=1"] {
            assert_eq!(pair_value(pair, "s"), None, "{pair:?}");
        }
    }

    #[test]
    fn only_a_value_that_begins_with_a_quote_holds_a_semicolon() {
        let all = |header, quotes| pairs(header, quotes).collect::<Vec<_>>();
        let json = r#"a=1; s={"name":"\""}; t="x;y";u="z"#;
        assert_eq!(all(json, true), ["a=1", r#" s={"name":"\""}"#, r#" t="x;y""#, r#"u="z"#]);
        assert_eq!(all(r#"t="x;y""#, false), [r#"t="x"#, r#"y""#]);
        assert_eq!(all(r#"a=b="x;y""#, true), [r#"a=b="x"#, r#"y""#]);
        assert_eq!(all("", true), [""]);
    }

    #[test]
    fn dates_have_the_form_that_browsers_read() {
        assert_eq!(http_date(Timestamp::ZERO), EPOCH);
        assert_eq!(
            http_date(Timestamp::from_millis(784_111_777_000)),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert!(http_date(Timestamp::from_millis(u64::MAX)).starts_with("Fri, 31 Dec 9999"));
    }
}
