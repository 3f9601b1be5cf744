//! What every platform must do. Each case runs on the portable module, too.

/// The cases, for one module.
macro_rules! cases {
    ($platform:ident) => {
        mod $platform {
            use std::fs;
            use std::io::{ErrorKind, Read, Write};

            use super::super::$platform::*;

            #[test]
            fn a_private_file_is_created_once_written_and_read() {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("file");
                let missing = open_nofollow(private().read(true), &path).unwrap_err();
                assert_eq!(missing.kind(), ErrorKind::NotFound);
                assert!(!is_link(&missing));
                let mut file = private().write(true).create_new(true).open(&path).unwrap();
                file.write_all(b"content").unwrap();
                assert!(private().write(true).create_new(true).open(&path).is_err());
                let mut text = String::new();
                open_nofollow(private().read(true), &path)
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                assert_eq!(text, "content");
                let lock = dir.path().join("lock");
                for _ in 0..2 {
                    open_nofollow(private().write(true).create(true), &lock).unwrap();
                }
            }

            #[test]
            fn folders_are_created_with_their_parents_and_opened_only_as_folders() {
                let dir = tempfile::tempdir().unwrap();
                let (path, file) = (dir.path().join("deep/folder"), dir.path().join("file"));
                assert_eq!(Folder::open(&path).err().unwrap().kind(), ErrorKind::NotFound);
                create_dirs(&path).unwrap();
                create_dirs(&path).unwrap();
                Folder::open(&path).unwrap().flush().unwrap();
                fs::write(&file, b"").unwrap();
                assert_eq!(Folder::open(&file).err().unwrap().kind(), ErrorKind::NotADirectory);
            }

            #[cfg(unix)]
            #[test]
            fn no_symlink_is_followed_and_no_pipe_is_waited_for() {
                use std::os::unix::fs::symlink;
                let dir = tempfile::tempdir().unwrap();
                let (file, link) = (dir.path().join("file"), dir.path().join("link"));
                fs::write(&file, b"content").unwrap();
                for target in [&file, &dir.path().join("nothing")] {
                    symlink(target, &link).unwrap();
                    for create in [false, true] {
                        let mut options = private();
                        let opened = open_nofollow(options.write(true).create(create), &link);
                        assert!(is_link(&opened.unwrap_err()));
                    }
                    fs::remove_file(&link).unwrap();
                }
                assert!(!dir.path().join("nothing").exists());
                let pipe = dir.path().join("pipe");
                assert!(
                    std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success()
                );
                // It is refused, or has nothing to read.
                if let Ok(mut opened) = open_nofollow(private().read(true), &pipe) {
                    assert_eq!(opened.read(&mut [0]).unwrap(), 0);
                }
                let (folder, link) = (dir.path().join("folder"), dir.path().join("folder-link"));
                create_dirs(&folder).unwrap();
                symlink(&folder, &link).unwrap();
                assert!(Folder::open(&link).is_err());
            }
        }
    };
}

cases!(portable);
#[cfg(unix)]
cases!(unix);

/// Only Unix has a mode that keeps other users out.
#[cfg(unix)]
#[test]
fn s37_files_and_folders_are_their_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("file"), dir.path().join("deep/folder"));
    super::private().write(true).create_new(true).open(&file).unwrap();
    super::create_dirs(&folder).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&file), mode(&folder), mode(folder.parent().unwrap())], [0o600, 0o700, 0o700]);
}
