//! Changes that are applied again.
//!
//! A closure that was given to `update` may call its session. What it changes
//! there counts once, when it is first applied. While it is applied again, to
//! another value, its calls change nothing. So a closure that changes its own
//! session is applied twice and not for ever.

use std::cell::RefCell;

thread_local! {
    /// The sessions whose changes this thread applies again just now.
    static REPLAYED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Names a session to this thread: its address.
pub(super) type Name = usize;

/// Whether this thread is applying the session's changes again.
pub(super) fn is_replaying(session: Name) -> bool {
    REPLAYED.with_borrow(|replayed| replayed.contains(&session))
}

/// Applies changes of the session again.
pub(super) fn replaying<R>(session: Name, apply: impl FnOnce() -> R) -> R {
    REPLAYED.with_borrow_mut(|replayed| replayed.push(session));
    let _end = End;
    apply()
}

/// Ends it, after a panic too.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        REPLAYED.with_borrow_mut(Vec::pop);
    }
}
