//! The rules of logins and renewals, each of which can be left out.

/// What the server does. A test leaves one out to see what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A login begins its session under a locator of its own.
    pub login_takes_new_locator: bool,
    /// It replaces the session over which it began …
    pub login_replaces: bool,
    /// … by a record that says so, not by none.
    pub replaced_says_so: bool,
    /// On a conflict it reads again and swaps again.
    pub login_swaps_again: bool,
    /// It replaces the session also where that goes on under another secret.
    pub login_replaces_renewed: bool,
    /// Where the session before cannot be replaced, the login's own ends.
    pub failed_login_ends: bool,
    /// A login brings the generation that its owner had when it began.
    pub generation_compared: bool,

    /// A replaced session begins nothing but a login.
    pub replaced_begins_nothing: bool,
    /// No removal goes out for it.
    pub replaced_removes_nothing: bool,
    /// Whoever shows it is not sent its successor's token.
    pub replaced_tells_nothing: bool,
    /// A `clear` of it does not end its successor.
    pub successor_outlives_clear: bool,
    /// Under a limit, a login that shows it does not count its successor.
    pub successor_is_not_counted: bool,
    /// Only a login of the same owner takes its successor's place.
    pub same_owner_takes_place: bool,
    /// Where that has been replaced in its turn, it takes the place of the last one.
    pub last_login_is_followed: bool,
    /// A login that the limit refuses looks whether another one has replaced its session.
    pub refused_looks_again: bool,
    /// It takes the place of a session of its owner that began over the same one, also
    /// before that login has replaced it, or if somebody else's has.
    pub limit_knows_kin: bool,
    /// A login whose swap has no answer is settled before its session ends.
    pub swap_is_settled: bool,

    /// A write replaces only the version that it read.
    pub compare_and_swap: bool,
    /// A periodic renewal stays open until the next secret is first shown.
    pub renewal_stays_open: bool,
    /// Its grace begins then, not with the renewal.
    pub grace_from_first_showing: bool,
    /// Whoever shows the secret before meanwhile is sent the same next one.
    pub same_next_secret: bool,
    /// After a renewal, the secret before is nobody for two minutes, not unknown.
    pub previous_is_nobody: bool,
    /// So is every secret before, not only the last one.
    pub every_previous_is_nobody: bool,
    /// A CSRF token is derived under a key of the server, not of the locator.
    pub csrf_under_server_key: bool,
    /// `renew` changes the CSRF generation.
    pub renew_rotates_csrf: bool,
    /// A change is replayed on what the shown token opens, not on what the next one does
    /// that the client has not been told of.
    pub replayed_under_shown_id: bool,
    /// Of a session that a login has replaced, an end leaves the record that says so.
    pub end_leaves_replaced: bool,
}

impl Rules {
    pub const CODE: Self = Self {
        login_takes_new_locator: true,
        login_replaces: true,
        replaced_says_so: true,
        login_swaps_again: true,
        login_replaces_renewed: true,
        failed_login_ends: true,
        generation_compared: true,
        replaced_begins_nothing: true,
        replaced_removes_nothing: true,
        replaced_tells_nothing: true,
        successor_outlives_clear: true,
        successor_is_not_counted: true,
        same_owner_takes_place: true,
        last_login_is_followed: true,
        refused_looks_again: true,
        limit_knows_kin: true,
        swap_is_settled: true,
        compare_and_swap: true,
        renewal_stays_open: true,
        grace_from_first_showing: true,
        same_next_secret: true,
        previous_is_nobody: true,
        every_previous_is_nobody: true,
        csrf_under_server_key: true,
        renew_rotates_csrf: true,
        replayed_under_shown_id: true,
        end_leaves_replaced: true,
    };
}
