//! Knows when a change is applied again, to another value.
//!
//! A closure that was given to `update` may call its own session. Such calls count once,
//! when the closure first runs. When it runs again, they change nothing, so it cannot
//! start an endless loop.

use std::cell::RefCell;

thread_local! {
    /// The sessions whose changes this thread is applying again.
    static REPLAYED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Names a session on this thread by the address of its entry.
pub(super) type Name = usize;

/// Whether this thread is applying the session's changes again.
pub(super) fn is_replaying(session: Name) -> bool {
    REPLAYED.with_borrow(|replayed| replayed.contains(&session))
}

/// Runs `apply`, which applies changes of the session again.
pub(super) fn replaying<R>(session: Name, apply: impl FnOnce() -> R) -> R {
    REPLAYED.with_borrow_mut(|replayed| replayed.push(session));
    let _end = End;
    apply()
}

/// Ends the replay, also after a panic.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        REPLAYED.with_borrow_mut(Vec::pop);
    }
}
