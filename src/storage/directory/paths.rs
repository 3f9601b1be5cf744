//! The names and the paths of files.

use std::ffi::{OsStr, OsString};
pub(super) use std::path::MAIN_SEPARATOR_STR as SEPARATOR;
use std::path::{Path, PathBuf};

use crate::storage::StorageKey;

/// At most 32 bytes as the name of a file, in lower-case hexadecimal. It is written into `room`.
pub(super) fn name_of<'a>(bytes: &[u8], room: &'a mut [u8; 64]) -> &'a str {
    base16ct::lower::encode_str(bytes, room).unwrap_or_default()
}

/// The key in the name of a file. `None` if the name is not a key.
pub(super) fn parse_key(name: &OsStr) -> Option<[u8; 32]> {
    StorageKey::from_hex(name.to_str()?).map(|key| *key.as_bytes())
}

/// The path below a folder that `parts` are together, in one allocation.
pub(super) fn below(folder: &Path, parts: &[&str]) -> PathBuf {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut path = OsString::with_capacity(folder.as_os_str().len() + SEPARATOR.len() + length);
    path.push(folder);
    path.push(SEPARATOR);
    for part in parts {
        path.push(part);
    }
    path.into()
}
