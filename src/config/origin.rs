//! The origin of a page.

use std::net::Ipv6Addr;

/// An origin, `scheme://host[:port]`, in lower case. A missing port is the scheme's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    authority: Authority,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// `None` for any other text, including `null`.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = Some(scheme.to_ascii_lowercase()).filter(|scheme| is_scheme(scheme))?;
        let mut authority = Authority::parse(authority)?;
        authority.port = authority.port.or(default_port(&scheme));
        Some(Self { scheme, authority })
    }

    /// Whether this is the origin of a web page on `host`. Behind a proxy, the scheme of the
    /// browser's request is unknown, so only host and port are compared.
    pub fn is_on(&self, host: &Authority) -> bool {
        default_port(&self.scheme).is_some_and(|default| {
            let port = host.port.or(Some(default));
            self.authority == Authority { host: host.host.clone(), port }
        })
    }
}

impl Authority {
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
            }
            None => {
                let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                (Some(host.to_ascii_lowercase()).filter(|host| is_host(host))?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(port) => Some(parse_port(port)?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn is_scheme(scheme: &str) -> bool {
    let other = |byte: u8| b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || other(byte))
}

/// Whether the text is a name or an IPv4 address. Names in other scripts must be written as
/// `xn--…`.
pub(super) fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let other = |byte: u8| b"-_".contains(&byte);
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || other(byte))
    };
    host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

fn parse_port(port: &str) -> Option<u16> {
    let digits = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port > 0)
}
