//! What has happened before the request.

use crate::app::{GRACE, RENEW_AFTER};
use crate::scenario::{Call, Own, Owner, Presented};

/// One step before the request.
#[derive(Clone, Copy, Debug)]
pub enum Prepare {
    /// One call, by a request with the token of this number.
    Request(Call, Option<usize>),
    /// Seconds pass.
    Wait(u64),
}

/// What stands in a cookie.
#[derive(Clone, Copy, Debug)]
pub enum Show {
    /// The token of this number.
    Token(usize),
    /// It, with another ending.
    Forged(usize),
}

impl Show {
    pub fn token(self) -> Option<usize> {
        match self {
            Self::Token(token) => Some(token),
            Self::Forged(_) => None,
        }
    }
}

/// How the client comes to what it presents.
pub fn preparation(presented: Presented) -> (Vec<Prepare>, Vec<Show>) {
    use Prepare::{Request, Wait};
    let login = Request(Call::Login(Owner::Ann), None);
    let renew = Request(Call::Renew, Some(0));
    let visit = Request(Call::Set(Owner::Nobody), None);
    let login_over = |over| Request(Call::Login(Owner::Ann), Some(over));
    // An id that is old enough is renewed by any request, and shown then.
    let open = [login, Wait(RENEW_AFTER), Request(Call::Get, Some(0)), Wait(2)];
    let show = Request(Call::Get, Some(1));
    let first = vec![Show::Token(0)];
    match presented {
        Presented::Nothing => (vec![], vec![]),
        Presented::Valid => (vec![login, Wait(2)], first),
        Presented::Stale => (vec![login, Wait(20)], first),
        Presented::Renewed => (vec![login, Wait(2), renew, Wait(2)], first),
        Presented::RenewedLongAgo => (vec![login, Wait(2), renew, Wait(31)], first),
        Presented::OldAndNew => {
            (vec![login, Wait(2), renew, Wait(2)], vec![Show::Token(0), Show::Token(1)])
        }
        Presented::Two => {
            (vec![login, Wait(2), login, Wait(2)], vec![Show::Token(0), Show::Token(1)])
        }
        Presented::Forged => (vec![login, Wait(2)], vec![Show::Forged(0)]),
        Presented::Expired => (vec![login, Wait(111)], first),
        Presented::Remembered => {
            let remember = Request(Call::SetLifetime(Own::Idle), Some(0));
            (vec![login, Wait(2), remember, Wait(4)], vec![Show::Token(1)])
        }
        Presented::Visitor => (vec![visit, Wait(2)], first),
        Presented::Replaced => (vec![visit, Wait(2), login_over(0), Wait(2)], first),
        Presented::ReplacedLogin => (vec![login, Wait(2), login_over(0), Wait(2)], first),
        Presented::ReplacedRenewed => {
            (vec![login, Wait(2), renew, Wait(2), login_over(1), Wait(2)], first)
        }
        Presented::ReplacedAndNew => {
            (vec![visit, Wait(2), login_over(0), Wait(2)], vec![Show::Token(0), Show::Token(1)])
        }
        Presented::Open => (open.to_vec(), first),
        Presented::OpenNext => (open.to_vec(), vec![Show::Token(1)]),
        Presented::OpenBoth => (open.to_vec(), vec![Show::Token(0), Show::Token(1)]),
        Presented::Grace => ([&open[..], &[show, Wait(3)]].concat(), first),
        Presented::GraceOver => ([&open[..], &[show, Wait(GRACE)]].concat(), first),
        Presented::ReplacedOpen => ([&open[..], &[login_over(0), Wait(2)]].concat(), first),
        Presented::ReplacedLongAgo => (vec![login, Wait(2), login_over(0), Wait(120)], first),
    }
}
