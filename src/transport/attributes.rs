//! The attributes of a cookie.

use std::fmt;
use std::time::Duration;

use crate::ktor::CookieEncoding;

/// A cookie's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookieSettings {
    pub path: String,
    pub domain: Option<String>,
    /// `None` makes a browser-session cookie.
    pub max_age: Option<Duration>,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: SameSite,
    pub partitioned: bool,
    /// The value of `$x-enc`, the last attribute of Ktor's cookies.
    pub ktor_encoding: Option<CookieEncoding>,
    /// Further attributes in order of their names; an empty value is a bare flag.
    pub extensions: Vec<(String, String)>,
}

/// The attribute `SameSite` of a cookie: whether the browser sends it with requests that come from
/// other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// Only when a user follows a link.
    Lax,
    /// Always.
    None,
    /// The attribute is left out, and each browser decides.
    Unset,
}

impl fmt::Display for CookieSettings {
    /// Writes the attributes of `Set-Cookie`, without `Max-Age` and `Expires`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(domain) = &self.domain {
            write!(f, "; Domain={domain}")?;
        }
        write!(f, "; Path={}", self.path)?;
        for (on, flag) in [(self.secure, "; Secure"), (self.http_only, "; HttpOnly")] {
            f.write_str(if on { flag } else { "" })?;
        }
        f.write_str(match self.same_site {
            SameSite::Unset => "",
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        })?;
        f.write_str(if self.partitioned { "; Partitioned" } else { "" })?;
        for (name, value) in &self.extensions {
            let equals = if value.is_empty() { "" } else { "=" };
            write!(f, "; {name}{equals}{value}")?;
        }
        self.ktor_encoding.map_or(Ok(()), |encoding| write!(f, "; $x-enc={}", encoding.name()))
    }
}
