//! [`Absence`]: the reasons why a request has no session. `request/load.rs` chooses one.

/// Why a request has no session; see [`Session::absence`](crate::Session::absence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absence {
    /// The request presented no token.
    NotPresented,
    /// The request presented a genuine token, but its session is over: it has expired, it has
    /// ended, it has another id now, or its payload no longer decodes.
    ///
    /// Two more cases count as `Ended`. An unprotected id that is unknown cannot be told from one
    /// that has ended. Of several sessions at once, none is used.
    Ended,
    /// The request presented a token that is not genuine: it is forged, truncated, of another
    /// session, or protected with a key that is no longer in the list. If there are more than four
    /// tokens, none is examined, and they count as invalid.
    Invalid,
}
