//! Tokens in a cookie, read from the raw `Cookie` headers by exact bytes.
//!
//! Rocket's jar percent-decodes names and keeps the last of several values, so that
//! `%5F%5FHost-s=evil` would replace a genuine `__Host-s` (docs/security.md, S9 and S10).

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;
use memchr::{memchr, memmem};
use rocket::{Request, Response};

use super::attributes::CookieSettings;
use super::{MAX_VALUES, MaxAge, Outgoing, SessionTransport, SizeLimit};
use crate::expiry::Timestamp;
use crate::ktor::CookieEncoding;

/// The size of name, value and attributes that every browser keeps (rfc6265bis section 5.7).
pub(crate) const COOKIE_BYTES: usize = 4096;
/// Browsers keep no cookie for more than 400 days (rfc6265bis section 5.6).
pub(crate) const LONGEST_COOKIE: Duration = Duration::from_secs(400 * 86_400);
const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
/// The longest lifetime: any session may have one of its own, of up to eight digits.
const LIFETIME: &str = "; Max-Age=12345678; Expires=Thu, 01 Jan 1970 00:00:00 GMT";

/// Reads and writes one cookie.
pub(crate) struct CookieTransport {
    max_age: Option<u64>,
    /// The attributes of every `Set-Cookie` of this session. A removal has them too, because
    /// browsers match it by them (docs/security.md, S11).
    attributes: String,
    /// Whether a quoted value may hold `;`.
    quotes: bool,
}

impl CookieTransport {
    pub fn new(config: &CookieSettings) -> Self {
        let max_age = config.max_age.map(seconds);
        let quotes =
            matches!(config.ktor_encoding, Some(CookieEncoding::Raw | CookieEncoding::Dquotes));
        Self { max_age, attributes: config.to_string(), quotes }
    }

    fn set_cookie(
        &self,
        response: &mut Response<'_>,
        name: &str,
        value: &str,
        lifetime: Option<(u64, impl Display)>,
    ) {
        // The response has one `Set-Cookie` for each name, so an earlier one is removed.
        let is_own =
            |cookie: &str| cookie.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        // A walk over the few headers costs less than a look-up, which hashes the name.
        let is_sent = response
            .headers()
            .iter()
            .any(|header| header.name() == "Set-Cookie" && is_own(header.value()));
        if is_sent {
            let others = response.headers().get("Set-Cookie").filter(|cookie| !is_own(cookie));
            let others: Vec<String> = others.map(str::to_owned).collect();
            response.remove_header("Set-Cookie");
            for other in others {
                response.adjoin_raw_header("Set-Cookie", other);
            }
        }
        let length = name.len() + 1 + value.len() + LIFETIME.len() + self.attributes.len();
        let mut cookie = String::with_capacity(length);
        cookie.extend([name, "=", value]);
        if let Some((seconds, expires)) = lifetime {
            // Writing to a string cannot fail.
            let _ = write!(cookie, "; Max-Age={seconds}; Expires={expires}");
        }
        cookie.push_str(&self.attributes);
        response.adjoin_raw_header("Set-Cookie", cookie);
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
        let mut values = Vec::new();
        for header in headers {
            find_values(header, name, self.quotes, |value| {
                values.push(Cow::Borrowed(value));
                values.len() > MAX_VALUES
            });
        }
        values.truncate(MAX_VALUES + 1);
        values
    }

    fn send(&self, response: &mut Response<'_>, name: &str, outgoing: Outgoing<'_>) {
        let max_age = match outgoing.max_age {
            MaxAge::Configured => self.max_age,
            MaxAge::Of(age) => Some(seconds(age)),
            MaxAge::Session => None,
        };
        let expires = |seconds| http_date(outgoing.now.after(Duration::from_secs(seconds)));
        let lifetime = max_age.map(|seconds| (seconds, expires(seconds)));
        self.set_cookie(response, name, outgoing.token, lifetime);
    }

    fn clear(&self, response: &mut Response<'_>, name: &str) {
        self.set_cookie(response, name, "", Some((0, EPOCH)));
    }

    fn vary<'a>(&self, _: &'a str) -> Option<&'a str> {
        Some("Cookie")
    }

    fn limit(&self, name: &str) -> SizeLimit {
        let overhead = name.len() + 1 + LIFETIME.len() + self.attributes.len();
        SizeLimit { bytes: COOKIE_BYTES, overhead }
    }
}

/// Returns the whole seconds for `Max-Age`: at least one, at most 400 days.
fn seconds(age: Duration) -> u64 {
    age.min(LONGEST_COOKIE).as_secs().max(1)
}

/// A `Cookie` header with more bytes is searched for a cookie's name.
const SEARCHED: usize = 512;

/// Finds the values of the pairs with this name in a `Cookie` header, until one is `enough`. With
/// `quotes`, a quoted value may hold `;`. A long header is searched for the name. For a short one,
/// a look at every pair costs less.
fn find_values<'a>(header: &'a str, name: &str, quotes: bool, enough: impl FnMut(&'a str) -> bool) {
    let quotes = quotes && memchr(b'"', header.as_bytes()).is_some();
    if header.len() > SEARCHED && !quotes {
        let places = memmem::find_iter(header.as_bytes(), name);
        let _ = places.filter_map(|at| value_at(header, at, name)).any(enough);
    } else {
        let pairs = pairs(header, quotes);
        let _ = pairs.filter_map(|pair| pair_value(pair, name)).any(enough);
    }
}

/// Returns the value of the pair whose name begins `at` this place, if one does.
fn value_at<'a>(header: &'a str, at: usize, name: &str) -> Option<&'a str> {
    let before = header[..at].trim_end_matches([' ', '\t']);
    let begins = before.is_empty() || before.ends_with(';');
    let pair = begins.then(|| header[at..].split(';').next())??;
    pair_value(pair, name)
}

/// Splits a `Cookie` header into pairs. With `quotes`, a quoted value may hold `;`.
fn pairs(header: &str, quotes: bool) -> impl Iterator<Item = &str> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let text = rest?;
        let start = if quotes { end_of_quoted(text) } else { 0 };
        let end = memchr(b';', &text.as_bytes()[start..]).map(|end| start + end);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// Returns where the first pair's value ends if it is quoted, and 0 otherwise. A quote
/// within a value has no meaning.
fn end_of_quoted(text: &str) -> usize {
    let quoted = text.split_once("=\"").filter(|(name, _)| !name.contains(['=', ';']));
    let end = quoted.and_then(|(_, value)| Some(text.len() - value.len() + value.find('"')?));
    end.unwrap_or(0)
}

/// Returns the value of a `name=value` pair with exactly this name. Only spaces and tabs
/// around the pair are ignored.
fn pair_value<'a>(pair: &'a str, name: &str) -> Option<&'a str> {
    let blanks = pair.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let value = pair[blanks..].strip_prefix(name)?.strip_prefix('=')?;
    Some(value.trim_end_matches([' ', '\t']))
}

/// Formats an RFC 9110 date. A time after the year 9999 becomes the last second of it.
fn http_date(time: Timestamp) -> HttpDate {
    const LAST: u64 = 253_402_300_799; // 9999-12-31T23:59:59Z
    let seconds = (time.as_millis() / 1000).min(LAST);
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds))
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
        let all = |header| pairs(header, true).collect::<Vec<_>>();
        let json = r#"a=1; s={"name":"\""}; t="x;y";u="z"#;
        assert_eq!(all(json), ["a=1", r#" s={"name":"\""}"#, r#" t="x;y""#, r#"u="z"#]);
        assert_eq!(all(r#"a=b="x;y""#), [r#"a=b="x"#, r#"y""#]);
        assert_eq!(all(""), [""]);
    }

    fn values<'a>(header: &'a str, name: &str, quotes: bool) -> Vec<&'a str> {
        let mut values = Vec::new();
        find_values(header, name, quotes, |value| {
            values.push(value);
            false
        });
        values
    }

    #[test]
    fn a_search_finds_what_a_look_at_every_pair_finds() {
        let parts = ["s", "ss", "=", ";", " ", "\t", "1", "\u{e9}", "\"", "s=2", "; s=3", "%73"];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut header =
                if state.is_multiple_of(2) { "p=0;".repeat(200) } else { String::new() };
            for _ in 0..state % 9 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                header.push_str(parts[(state >> 33) as usize % parts.len()]);
            }
            state = state.wrapping_add(1);
            for name in ["s", "ss"] {
                let split = header.split(';').filter_map(|pair| pair_value(pair, name));
                let found = values(&header, name, false);
                assert_eq!(found, split.collect::<Vec<_>>(), "{name} in {header:?}");
                if !header.contains('"') {
                    assert_eq!(found, values(&header, name, true));
                }
            }
        }
    }

    #[test]
    fn a_semicolon_in_quotes_separates_only_where_quotes_count() {
        let header = r#"t="x; s=1"; s=2"#;
        assert_eq!(values(header, "s", true), ["2"]);
        assert_eq!(values(header, "s", false), ["1\"", "2"]);
    }

    #[test]
    fn dates_have_the_form_that_browsers_read() {
        let date = |millis| http_date(Timestamp::from_millis(millis)).to_string();
        assert_eq!(date(0), EPOCH);
        assert_eq!(date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(date(u64::MAX).starts_with("Fri, 31 Dec 9999"));
    }
}
