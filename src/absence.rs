//! [`Absence`]: why a request has no session.

/// Why a request has no session; see [`Session::absence`](crate::Session::absence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absence {
    /// The request presented no token.
    NotPresented,
    /// The request presented a genuine token, but its session is over: it has
    /// expired, it was ended, it has another id now, or its payload does not decode
    /// any more.
    ///
    /// This also covers an unprotected id that is unknown, since it cannot be told
    /// from one that has ended, and several sessions at once, of which none is
    /// used.
    Ended,
    /// The request presented a token that is not genuine: it is forged, truncated,
    /// of another session, or protected with a key that is no longer in the list.
    /// More than four tokens are not examined, and count as invalid.
    Invalid,
}
