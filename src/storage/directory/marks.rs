//! The marks of ends, which are small files beside the records. The caller of each function holds
//! the record's lock. Marks are not flushed, because a power cut also stops the writes that they
//! refuse.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Result};
use super::files::{failure, is_foreign, make_dirs, overwrite, read_file, remove_file};
use super::paths::parse_key;
use crate::storage::platform::private;
use crate::storage::{StorageKey, Timestamp};

/// The extension of a mark's file.
const ENDED: &str = "ended";

impl Disk {
    /// The time until which the key's mark is valid. A damaged or foreign file is not a mark.
    pub(super) fn marked_until(&self, key: &StorageKey) -> Result<Option<Timestamp>> {
        match read_file(&self.mark_path(key)) {
            Ok(bytes) => {
                let until = bytes.first_chunk().copied().map(u64::from_be_bytes);
                Ok(until.map(Timestamp::from_millis))
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound || is_foreign(&cause) => Ok(None),
            Err(cause) => Err(failure("reading a mark", cause)),
        }
    }

    /// Leaves a mark. The later of two marks is kept.
    pub(super) fn leave_mark(&self, key: &StorageKey, until: Timestamp) -> Result<()> {
        if self.marked_until(key)?.is_some_and(|before| before >= until) {
            return Ok(());
        }
        let path = self.mark_path(key);
        let write = || {
            make_dirs(path.parent().ok_or(ErrorKind::InvalidInput)?)?;
            let until = until.as_millis().to_be_bytes();
            overwrite(private().create(true).truncate(false), &path, 0, &until)
        };
        write().map_err(|cause| failure("writing a mark", cause))
    }

    /// Removes a file if it is a mark that is no longer valid.
    pub(super) fn purge_mark(&self, path: &Path, now: Timestamp) -> Result<()> {
        let key = path.extension().is_some_and(|extension| extension == ENDED);
        let key = path.file_stem().filter(|_| key).and_then(parse_key).map(StorageKey::from_bytes);
        let Some(key) = key else { return Ok(()) };
        let _locks = self.lock_records(&key, &[])?;
        if self.marked_until(&key)?.is_none_or(|until| until <= now) {
            remove_file(path)?;
        }
        Ok(())
    }

    fn mark_path(&self, key: &StorageKey) -> PathBuf {
        self.record_path(key).with_extension(ENDED)
    }
}
