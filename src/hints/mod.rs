//! [`Hints`]: deployment errors that requests reveal, and what to write instead. Without them, it
//! would be hard to see why sessions are lost. Each hint is logged once for each definition, and
//! that of an old key once a day. None of this runs in a request that finds its session and sends
//! no token.

mod keys;
mod path;
mod scheme;

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::{Request, error, warn};

use keys::OlderKeys;

use crate::expiry::{Clock, SKEW, Times, Timestamp};
use crate::guide::page;
use crate::token::Tokens;
use crate::transport::CookieSettings;

/// The hints of one definition, and which of them need not be looked for any more.
pub(crate) struct Hints {
    session: String,
    /// `None` if no cookie carries the token.
    cookie: Option<SentCookie>,
    /// A request was made over HTTPS, or the hint was given.
    scheme_is_known: AtomicBool,
    outside_path: AtomicBool,
    clocks: AtomicBool,
    foreign_key: AtomicBool,
    unlimited_login: AtomicBool,
    owners: Owners,
    older_keys: OlderKeys,
}

/// The attributes of the cookie that decide whether a browser sends it back.
struct SentCookie {
    path: String,
    secure: bool,
}

/// Whether logins had an owner.
#[derive(Default)]
struct Owners {
    some: AtomicBool,
    none: AtomicBool,
    told: AtomicBool,
}

impl Hints {
    pub fn new(
        session: &str,
        cookie: Option<&CookieSettings>,
        absolute: Duration,
        now: Timestamp,
    ) -> Self {
        let cookie =
            cookie.map(|cookie| SentCookie { path: cookie.path.clone(), secure: cookie.secure });
        Self {
            session: session.to_owned(),
            cookie,
            scheme_is_known: AtomicBool::default(),
            outside_path: AtomicBool::default(),
            clocks: AtomicBool::default(),
            foreign_key: AtomicBool::default(),
            unlimited_login: AtomicBool::default(),
            owners: Owners::default(),
            older_keys: OlderKeys::new(absolute, now),
        }
    }

    /// Whether browsers keep the token only over HTTPS.
    pub fn needs_https(&self) -> bool {
        self.cookie.as_ref().is_some_and(|cookie| cookie.secure)
    }

    /// Looks at a request whose response carries a token. `begins` says that the request presented
    /// no session and began one otherwise than by a login.
    pub fn token_sent(&self, request: &Request<'_>, begins: bool) {
        let Some(cookie) = &self.cookie else { return };
        if cookie.secure && !self.scheme_is_known.load(Ordering::Relaxed) {
            self.look_at_scheme(request);
        }
        if begins && !path::is_within(request.uri().path().as_str(), &cookie.path) {
            self.once(&self.outside_path, || path::hint(request, &cookie.path));
        }
    }

    fn look_at_scheme(&self, request: &Request<'_>) {
        match scheme::find(request) {
            None => {}
            Some(scheme::Scheme::Https) => self.scheme_is_known.store(true, Ordering::Relaxed),
            Some(scheme::Scheme::Http { host, sign }) => {
                self.once(&self.scheme_is_known, || scheme::hint(&host, sign));
            }
        }
    }

    /// Looks at a session that is not live. A wrong clock may be the reason.
    #[cold]
    pub fn not_alive(&self, times: &Times, now: Timestamp) {
        if let Some(ahead) = times.ahead(now) {
            let whole =
                |time: Duration| humantime::format_duration(Duration::from_secs(time.as_secs()));
            self.once(&self.clocks, || {
                format!(
                    "a client presented a session whose times are {} in the future, so it counts as absent: the clocks of two nodes differ, or this node's clock was set back. Synchronise the clocks of all nodes, for example with NTP; differences of up to {} are tolerated.",
                    whole(ahead),
                    whole(SKEW)
                )
            });
        }
    }

    /// Looks at the tokens of a live session, one of which an older key may have sealed.
    #[cold]
    pub fn old_keys(&self, tokens: &Tokens, presented: &[Cow<'_, str>], now: Timestamp) {
        for number in presented.iter().filter_map(|token| tokens.old_key(token, now)) {
            warn!("Session `{}`: {}", self.session, self.older_keys.needed(number));
        }
    }

    /// Looks at tokens that open nothing. Another node, or this one before, may have other keys.
    #[cold]
    pub fn foreign_keys(&self, tokens: &Tokens, presented: &[Cow<'_, str>]) {
        if presented.iter().any(|token| tokens.names_foreign_key(token)) {
            self.once(&self.foreign_key, || {
                concat!(
                    "a client presented a token that no key of this node can read, so it counts as absent. If users are logged out, compare the keys and `app` of all nodes, and of this one before. See ",
                    page!("troubleshooting")
                ).into()
            });
        }
    }

    /// Notes that other keys seal from now on.
    pub fn keys_changed(&self, now: Timestamp) {
        self.older_keys.changed(now);
    }

    /// Looks at the keys when a token goes out.
    pub fn needless_keys(&self, tokens: &Tokens, clock: &Clock) {
        if let Some(hint) = self.older_keys.needless(tokens, clock) {
            warn!("Session `{}`: {hint}", self.session);
        }
    }

    /// Notes whether a login had an owner. `limited` says that `max_sessions_per_owner` is set.
    pub fn logged_in(&self, type_name: &str, owned: bool, limited: bool) {
        let seen = if owned { &self.owners.some } else { &self.owners.none };
        seen.store(true, Ordering::Relaxed);
        if limited && !owned {
            self.once(&self.unlimited_login, || {
                format!(
                    "a login has no owner, so `max_sessions_per_owner` does not count it. {}",
                    implement_owner(type_name)
                )
            });
        }
    }

    /// Notes that an owner had no sessions. That needs a hint if no login ever had an owner.
    pub fn owner_had_none(&self, type_name: &str) {
        let Owners { some, none, told } = &self.owners;
        if none.load(Ordering::Relaxed) && !some.load(Ordering::Relaxed) {
            self.once(told, || {
                format!(
                    "the application asked for the sessions of an owner, but no login has an owner, so there are none. {}",
                    implement_owner(type_name)
                )
            });
        }
    }

    /// Says what to write for a session whose token would be too large.
    pub fn too_large(&self, size: usize, limit: usize) {
        let why = match self.cookie {
            Some(_) => "because browsers keep no larger cookie",
            None => "because its header or transport carries no more",
        };
        error!(
            "Session `{}`: {size} bytes are over the limit of {limit} {why}; keep less in it, or write a server storage such as `storage = \"memory\"` in its table.",
            self.session
        );
    }

    fn once(&self, told: &AtomicBool, hint: impl FnOnce() -> String) {
        if !told.swap(true, Ordering::Relaxed) {
            warn!("Session `{}`: {}", self.session, hint());
        }
    }
}

/// What to write so that a type's sessions have owners.
pub(crate) fn implement_owner(type_name: &str) -> String {
    format!(
        "Implement `SessionData::owner` for `{type_name}`: `fn owner(&self) -> Option<Cow<'_, str>> {{ Some(self.id.as_str().into()) }}`."
    )
}
