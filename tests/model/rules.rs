//! The rules of the protocol, each of which can be left out.

/// What a storage and a request do. A test leaves one out to see what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A storage updates only the version that the attempt expects.
    pub compare_and_swap: bool,
    /// An update of a record that is gone inserts nothing.
    pub update_never_inserts: bool,
    /// A create that finds its own version is `Created`.
    pub resent_create_is_known: bool,
    /// An end leaves a mark that refuses creates.
    pub end_leaves_mark: bool,
    /// Ending a create whose answer was lost leaves it where there is no record, too.
    pub mark_without_record: bool,
    /// The storage's clock, not the nodes', says when a mark is over.
    pub mark_by_one_clock: bool,
    /// A login replaces a session only if its own was created.
    pub created_before_replaced: bool,
    /// A create brings the generation that its owner had when it began.
    pub generation_compared: bool,

    /// The record keeps the versions before its own.
    pub trail_kept: bool,
    /// A trail is cut at its old end only, never in the middle.
    pub trail_without_holes: bool,

    /// A write without an answer is settled, not done again.
    pub attempt_is_kept: bool,
    /// `Conflict` is settled, since a resend may have met the attempt itself.
    pub conflict_is_settled: bool,
    /// `Conflict` is answered only after settling.
    pub settled_before_giving_up: bool,
    /// Settling reads past the node's cache.
    pub settling_passes_cache: bool,
    /// Settling looks for the attempt's own version.
    pub own_version_sought: bool,
    /// A newer version alone does not say that the attempt was applied.
    pub only_own_version_counts: bool,
    /// What is sent again keeps its version.
    pub same_attempt_again: bool,
    /// Where neither version is found, the outcome is an error.
    pub unknown_is_error: bool,
    /// What was discarded is not sent again.
    pub discarded_is_not_sent: bool,
    /// A create whose answer was lost is not sent again by the core …
    pub create_never_resent: bool,
    /// … its key is ended.
    pub lost_create_is_ended: bool,
    /// A login over a session whose answer was lost goes on, if that says that it was
    /// replaced.
    pub lost_swap_is_settled: bool,
    /// A create that is sent again brings the generation that it first brought.
    pub generation_read_once: bool,
    /// `Exists` is settled, as a conflict is.
    pub exists_is_settled: bool,
    /// An update that finds its own version is `Updated`.
    pub resent_update_is_known: bool,

    /// Not in the contract: a storage refuses a create older than the mark's life.
    pub late_create_is_refused: bool,
    /// Not in the contract: a lost create is asked for in the step that ends it, and
    /// stays if it is there.
    pub lost_create_is_asked: bool,
    /// Not in the contract: a revocation names the generation that it ends.
    pub revocation_names_generation: bool,
    /// Not in the contract: where a discarded attempt may still arrive, a write of
    /// the record as it is makes it a conflict.
    pub discard_writes: bool,
}

impl Rules {
    pub const CONTRACT: Self = Self {
        compare_and_swap: true,
        update_never_inserts: true,
        resent_create_is_known: true,
        end_leaves_mark: true,
        mark_without_record: true,
        mark_by_one_clock: true,
        created_before_replaced: true,
        generation_compared: true,
        trail_kept: true,
        trail_without_holes: true,
        attempt_is_kept: true,
        conflict_is_settled: true,
        settled_before_giving_up: true,
        settling_passes_cache: true,
        own_version_sought: true,
        only_own_version_counts: true,
        same_attempt_again: true,
        unknown_is_error: true,
        discarded_is_not_sent: true,
        create_never_resent: true,
        lost_create_is_ended: true,
        lost_swap_is_settled: true,
        generation_read_once: true,
        exists_is_settled: true,
        resent_update_is_known: true,
        late_create_is_refused: false,
        lost_create_is_asked: false,
        revocation_names_generation: false,
        discard_writes: false,
    };

    /// A storage in the process, which loses no answer.
    pub const IN_PROCESS: Self =
        Self { trail_kept: false, conflict_is_settled: false, ..Self::CONTRACT };

    /// The contract, and what it lacks.
    pub const CURED: Self = Self {
        late_create_is_refused: true,
        lost_create_is_asked: true,
        revocation_names_generation: true,
        discard_writes: true,
        ..Self::CONTRACT
    };
}
