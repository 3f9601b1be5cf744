//! Files and folders. They are private, are replaced in one step, and are never reached through a
//! symlink.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::paths::{below, name_of};
use crate::crypto::Random;
use crate::storage::StorageError;
use crate::storage::bytes::LARGEST;
use crate::storage::platform::{Folder, create_dirs, is_link, open_nofollow, private};

/// An older temporary file was left by a process that died.
const ABANDONED: Duration = Duration::from_secs(3600);

type Answer<T> = std::result::Result<T, StorageError>;

/// Makes a folder and its parents, which only their user can enter.
pub(super) fn make_dirs(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(ErrorKind::NotADirectory.into()),
        Err(_) => create_dirs(path),
    }
}

pub(super) fn create_file(path: &Path) -> Result<File> {
    private().write(true).create_new(true).open(path)
}

/// The content of a regular file of limited length.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = open_nofollow(OpenOptions::new().read(true), path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first bytes of a file. A shorter file is an error.
pub(super) fn read_start<const N: usize>(path: &Path) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    open_nofollow(OpenOptions::new().read(true), path)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Whether the error comes from a file that this storage did not write: a symlink, a folder, a
/// pipe, or a huge file.
pub(super) fn is_foreign(cause: &std::io::Error) -> bool {
    // A pipe with a writer would block.
    let foreign = [ErrorKind::InvalidData, ErrorKind::IsADirectory, ErrorKind::WouldBlock];
    is_link(cause) || foreign.contains(&cause.kind())
}

/// Writes bytes over those at an offset. The options say whether the file may be created.
pub(super) fn overwrite(
    options: &mut OpenOptions,
    path: &Path,
    at: u64,
    bytes: &[u8],
) -> Result<()> {
    let mut file = open_nofollow(options.write(true), path)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

/// Writes a file in one step: after a crash, there is the old file or the new one. Makes the
/// folder if it does not exist.
pub(super) fn replace(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    let opened = match Folder::open(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            make_dirs(folder)?;
            Folder::open(folder)?
        }
        opened => opened?,
    };
    let random: [u8; 8] = Random::default().bytes().map_err(std::io::Error::other)?;
    let temporary = below(folder, &[".", name, "-", name_of(&random, &mut [0; 64])]);
    let write = || {
        let mut file = create_file(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, below(folder, &[name]))?;
        opened.flush()
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

pub(super) fn remove_file(path: &Path) -> Answer<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(failure("deleting a record", cause)),
    }
}

/// The time since a file was last written.
pub(super) fn file_age(path: &Path) -> Option<Duration> {
    path.symlink_metadata().and_then(|about| about.modified()).ok()?.elapsed().ok()
}

pub(super) fn remove_if_abandoned(path: &Path) {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    if hidden && file_age(path).is_some_and(|age| age > ABANDONED) {
        // A file that cannot be removed now is removed by a later purge.
        let _ = fs::remove_file(path);
    }
}

/// The paths in a folder. The list is empty if there is no such folder.
pub(super) fn entries(folder: &Path) -> Answer<Vec<PathBuf>> {
    let read = || -> Result<_> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    match read() {
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        read => read.map_err(|cause| failure("reading a folder", cause)),
    }
}

/// The folder of a storage cannot be used.
pub(super) fn unusable(root: &Path, cause: std::io::Error) -> StorageError {
    let (root, what) =
        (root.display(), "`path` must be a folder that this process can create and write to");
    StorageError::unavailable(format!("opening the directory {root}: {cause}; {what}"), cause)
}

pub(super) fn failure(doing: &str, cause: std::io::Error) -> StorageError {
    StorageError::unavailable(format!("{doing}: {cause}"), cause)
}
