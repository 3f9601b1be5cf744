//! Removes expired records. Each call examines a limited part of the tree.

use std::path::Path;
use std::time::Duration;

use super::disk::{Disk, Result, Sweep, is_there};
use super::files::{entries, file_age, remove_file, remove_if_abandoned};
use super::owners::GENERATION;
use super::paths::parse_key;
use crate::storage::{OwnerKey, StorageKey, Timestamp};

/// The most files that one call examines. The next call continues there.
const EXAMINED: usize = 10_000;
/// No login takes this long, so an older generation is no longer needed.
const OLD_GENERATION: Duration = Duration::from_secs(86_400);

impl Disk {
    /// Deletes up to `limit` expired records and tidies the index of owners.
    pub fn purge(&self, now: Timestamp, limit: usize) -> Result<usize> {
        let mut sweep = self.sweep.lock();
        let (mut purged, mut examined) = (0, 0);
        // The sweep makes one round and ends with the rest of the folder in which it began.
        for _ in 0..=256 {
            if sweep.second == 0 {
                examined += self.tidy_owners(sweep.first)?;
            }
            let mut folders = entries(&self.records.join(format!("{:02x}", sweep.first)))?;
            folders.sort_unstable();
            for folder in folders {
                let name = folder.file_name().and_then(|name| name.to_str());
                let Some(second) = name.and_then(|name| u8::from_str_radix(name, 16).ok()) else {
                    continue;
                };
                if second < sweep.second {
                    continue;
                }
                sweep.second = second;
                if purged >= limit || examined >= EXAMINED {
                    return Ok(purged);
                }
                examined += self.purge_folder(&folder, now, limit, &mut purged)?;
                if purged >= limit {
                    return Ok(purged);
                }
            }
            *sweep = Sweep { first: sweep.first.wrapping_add(1), second: 0 };
        }
        Ok(purged)
    }

    /// Purges one folder. Returns the number of examined files.
    fn purge_folder(
        &self,
        folder: &Path,
        now: Timestamp,
        limit: usize,
        purged: &mut usize,
    ) -> Result<usize> {
        let mut examined = 0;
        for path in entries(folder)? {
            examined += 1;
            let Some(key) = path.file_name().and_then(parse_key).map(StorageKey::from_bytes) else {
                self.purge_mark(&path, now)?;
                remove_if_abandoned(&path);
                continue;
            };
            // A file that cannot be read is kept for the operator to examine.
            let expired = || {
                let found = self.heading(&key).ok().flatten();
                found.is_some_and(|found| !found.is_live(now))
            };
            if !expired() {
                continue;
            }
            let _locks = self.lock_records(&key, &[])?;
            if expired() && self.remove(&key)? {
                *purged += 1;
            }
            if *purged >= limit {
                break;
            }
        }
        Ok(examined)
    }

    /// Removes the index entries of a process that died before it wrote or after it deleted a
    /// record. Also removes generations that no running login has read. Returns the number of
    /// examined files.
    fn tidy_owners(&self, first: u8) -> Result<usize> {
        let mut examined = 0;
        for folder in entries(&self.owners().join(format!("{first:02x}")))? {
            let Some(owner) = folder.file_name().and_then(parse_key).map(OwnerKey::from_bytes)
            else {
                continue;
            };
            for entry in entries(&folder)? {
                examined += 1;
                let Some(key) = entry.file_name().and_then(parse_key).map(StorageKey::from_bytes)
                else {
                    continue;
                };
                if is_there(&self.record_path(&key)) {
                    continue;
                }
                // A process that is writing the record holds its lock.
                let _locks = self.lock_records(&key, &[])?;
                if !is_there(&self.record_path(&key)) {
                    let _lock = self.lock_owner(&owner)?;
                    remove_file(&entry)?;
                }
            }
            let _lock = self.lock_owner(&owner)?;
            let generation = folder.join(GENERATION);
            if file_age(&generation).is_some_and(|age| age > OLD_GENERATION) {
                remove_file(&generation)?;
            }
            // This fails as long as the folder is not empty.
            let _ = std::fs::remove_dir(&folder);
        }
        Ok(examined)
    }
}
