//! Ktor's encodings of cookie values and of the parts of its old form format.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How a token in Ktor's format is encoded in a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieEncoding {
    /// Percent-encoding, Ktor's default.
    Uri,
    /// Base64.
    Base64,
    /// As it is.
    Raw,
    /// In double quotes where needed.
    Dquotes,
}

impl CookieEncoding {
    /// The name that Ktor writes as `$x-enc`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uri => "URI_ENCODING",
            Self::Base64 => "BASE64_ENCODING",
            Self::Raw => "RAW",
            Self::Dquotes => "DQUOTES",
        }
    }

    /// `None` if this encoding cannot carry the text. Ktor's own `RAW` would let a `;` begin
    /// another attribute.
    pub(crate) fn encode(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Uri => Some(uri_encode(text).into()),
            Self::Base64 => Some(STANDARD.encode(text).into()),
            Self::Raw => (!text.contains([';', ','])).then_some(text.into()),
            Self::Dquotes if text.contains('"') => None,
            Self::Dquotes => {
                let quoted = text.contains(|c: char| c.is_whitespace() || ";,".contains(c));
                Some(if quoted { format!("\"{text}\"").into() } else { text.into() })
            }
        }
    }

    pub(crate) fn decode(self, value: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Uri => uri_decode(value, true).map(Cow::Owned),
            Self::Base64 => {
                let bytes = STANDARD.decode(value).ok()?;
                Some(String::from_utf8_lossy(&bytes).into_owned().into())
            }
            Self::Raw | Self::Dquotes => {
                let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                Some(inside.unwrap_or(value).into())
            }
        }
    }
}

/// Writes a space as `+`, and everything but `A-Z a-z 0-9 - . _ ~` as upper-case `%XX`.
pub(super) fn uri_encode(text: &str) -> String {
    percent_encode(text, |byte| b"-._~".contains(&byte), "+")
}

/// Ktor's encoding of a query component, which leaves `#` and `&` as they are.
pub(super) fn component_encode(text: &str) -> String {
    percent_encode(text, |byte| b":/?#[]@!$&'()*,;=-._~+".contains(&byte), "%20")
}

fn percent_encode(text: &str, stays: impl Fn(u8) -> bool, space: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push_str(space),
            _ if byte.is_ascii_alphanumeric() || stays(byte) => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// Decodes `%XX` in either case and leaves everything else. `None` for an incomplete escape.
pub(super) fn uri_decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut byte = [0];
                base16ct::mixed::decode([rest.next()?, rest.next()?], &mut byte).ok()?;
                byte[0]
            }
            b'+' if plus_is_space => b' ',
            _ => byte,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
