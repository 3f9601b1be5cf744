//! Linux, macOS and the other Unix systems.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// What this platform cannot guarantee, which launch reports.
pub const MISSING: Option<&str> = None;

/// Options that create files which only their user can open.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Opens a file that is not a symlink. It does not wait for the other end of a pipe.
pub fn open_nofollow(options: &mut OpenOptions, path: &Path) -> Result<File> {
    open(options, OFlags::NOFOLLOW | OFlags::NONBLOCK, path)
}

/// Whether the error is that of [`open_nofollow`] for a symlink.
pub fn is_link(cause: &Error) -> bool {
    cause.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Creates a folder and its parents, which only their user can enter.
pub fn create_dirs(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// An open folder, which is not a symlink.
pub struct Folder(File);

impl Folder {
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
        open(OpenOptions::new().read(true), flags, path).map(Self)
    }

    /// Flushes the names of the files in it.
    pub fn flush(&self) -> Result<()> {
        self.0.sync_all()
    }
}

fn open(options: &mut OpenOptions, flags: OFlags, path: &Path) -> Result<File> {
    options.custom_flags(flags.bits().cast_signed()).open(path)
}
