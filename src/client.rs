//! The self-reported client of a session, for lists of devices.

use std::net::IpAddr;

use rocket::Request;

/// The most characters of a user agent that are kept.
const MAX_USER_AGENT: usize = 256;

/// The self-reported client of a session, with `remember_client = true`: the user agent and the
/// address of the request that last wrote the session.
///
/// A client can send any text. Show the fields, but do not base decisions on them.
///
/// ```
/// use rocket_typed_sessions::SessionInfo;
///
/// fn line<T>(device: &SessionInfo<T>) -> String {
///     let client = device.client.as_ref();
///     client.and_then(|client| client.user_agent.clone()).unwrap_or("unknown".into())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The `User-Agent`: at most 256 bytes of printable ASCII. Any other character
    /// is replaced by `?`. It may contain `<` and `&`: escape it in HTML.
    pub user_agent: Option<String>,
    /// The address that `Request::client_ip` returns. Behind a proxy, configure Rocket's
    /// `ip_header`.
    pub address: Option<IpAddr>,
}

impl ClientInfo {
    pub(crate) fn read(request: &Request<'_>) -> Self {
        let printable = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
        let user_agent = request.headers().get_one("User-Agent").map(str::trim);
        let user_agent = user_agent.filter(|text| !text.is_empty());
        Self {
            user_agent: user_agent
                .map(|text| text.chars().take(MAX_USER_AGENT).map(printable).collect()),
            address: request.client_ip(),
        }
    }

    /// Encodes the address, a line break and the user agent. Either may be empty.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let address = self.address.map(|address| address.to_string()).unwrap_or_default();
        format!("{address}\n{}", self.user_agent.as_deref().unwrap_or_default()).into_bytes()
    }

    /// Returns `None` if nothing was remembered.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (address, user_agent) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        Some(Self {
            user_agent: Some(user_agent.to_owned()).filter(|text| !text.is_empty()),
            address: address.parse().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_round_trips_whatever_is_missing() {
        for user_agent in [None, Some("curl/8 (<b>)".to_owned())] {
            for address in [None, Some("2001:db8::1".parse().unwrap())] {
                let info = ClientInfo { user_agent: user_agent.clone(), address };
                assert_eq!(ClientInfo::decode(&info.encode()), Some(info));
            }
        }
        assert_eq!(ClientInfo::decode(b""), None);
    }
}
