//! What the platforms do differently with files and folders. Locks, flushes of files and atomic
//! replacement are the standard library's, on every platform.
//!
//! Each module has the same items. A test builds both.

#[cfg(any(not(unix), test))]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(super) use portable::*;
#[cfg(unix)]
pub(super) use unix::*;

#[cfg(test)]
mod tests;
