//! The meaning of the scripts' answers.

use super::handle::Result;
use crate::storage::{Create, Refused, StorageError, Update, another_owner};

/// Reads the answer of the script `create`.
pub(super) fn read_create(word: &str) -> Result<Create> {
    match word {
        // "pushed" means that the record was created and that a later login has ended it.
        "done" | "pushed" => Ok(Create::Created),
        "exists" => Ok(Create::Exists),
        "revoked" => Ok(Create::Refused(Refused::Revoked)),
        _ => Err(too_late()),
    }
}

/// Reads the answer of the script `update`.
pub(super) fn read_update(word: &str) -> Result<Update> {
    match word {
        "done" => Ok(Update::Updated),
        "conflict" => Ok(Update::Conflict),
        "missing" => Ok(Update::Missing),
        _ => Err(another_owner()),
    }
}

fn too_late() -> StorageError {
    StorageError::Unavailable("Redis: a login took too long".into(), None)
}
