//! Windows, and any other platform that has no module of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// What this platform cannot guarantee, which launch reports.
#[cfg_attr(unix, expect(dead_code))]
pub const MISSING: Option<&str> = Some(
    "in a directory on this platform, files are as private as the folder around it, and a power cut may undo the latest writes",
);

/// Options that create files. They are as private as their folder.
pub fn private() -> OpenOptions {
    OpenOptions::new()
}

/// Opens a file that is not a symlink, a folder or a pipe.
pub fn open_nofollow(options: &mut OpenOptions, path: &Path) -> Result<File> {
    match path.symlink_metadata() {
        Ok(found) => must_be(found.is_file())?,
        // The options say whether the file is created.
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        Err(cause) => return Err(cause),
    }
    // A link that was put there meanwhile is opened itself, instead of what it names.
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    let file = options.open(path)?;
    must_be(file.metadata()?.is_file())?;
    Ok(file)
}

/// The error for a foreign file, as it is for a symlink.
fn must_be(a_file: bool) -> Result<()> {
    if a_file { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Whether the error is that of [`open_nofollow`] for a symlink.
pub fn is_link(cause: &Error) -> bool {
    cause.kind() == ErrorKind::InvalidData
}

/// Creates a folder and its parents. They are as private as the folder that holds them.
pub fn create_dirs(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
}

/// A folder, which is not a symlink.
pub struct Folder;

impl Folder {
    pub fn open(path: &Path) -> Result<Self> {
        let is_dir = path.symlink_metadata()?.is_dir();
        if is_dir { Ok(Self) } else { Err(ErrorKind::NotADirectory.into()) }
    }

    /// The standard library cannot flush a folder here.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps)] // as on the other platforms
    pub fn flush(&self) -> Result<()> {
        Ok(())
    }
}
