//! [`Absence`]: the reasons why a request has no session. `request/load.rs` chooses one.

/// Why a request has no session, as [`Session::absence`](crate::Session::absence) returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absence {
    /// The request presented no token.
    NotPresented,
    /// The request presented a genuine token, but its session is over: it has expired, it has
    /// ended, it has another id now, or its payload no longer decodes.
    ///
    /// Two more cases count as `Ended`: an unknown id without protection, which looks like an ended
    /// one, and several sessions at once, of which none is used.
    Ended,
    /// The request presented a token that is not genuine: it is forged or truncated, it belongs to
    /// another session type, or its key is no longer in the list. More than four tokens are not
    /// examined and count as invalid.
    Invalid,
}
