//! [`Absence`]: why a request has no session.

/// Why a request has no session; see [`Session::absence`](crate::Session::absence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Absence {
    /// The request presented nothing.
    NotPresented,
    /// It presented a token of ours whose session is over: it has expired or was
    /// ended, goes on under another id, or does not decode any more. The same goes
    /// for an id without protection, which nobody can tell from one that never
    /// was, and for several sessions at once, none of which is used.
    Ended,
    /// It presented something that is none of ours: forged, cut, another
    /// session's, or under a key that is not in the list any more. More than four
    /// values are not looked at.
    Invalid,
}
