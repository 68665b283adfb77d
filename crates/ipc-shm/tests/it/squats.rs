//! What may stand where a region's name should: nothing of it is opened, and all of it stays.

use crate::named::{NAMED, Named};
use ipc_shm::{Backing, ErrorKind};
use ipc_testkit::isolated;
use std::os::unix::fs::symlink;

#[test]
fn nothing_but_a_region_of_ours_is_opened_and_what_is_there_stays_as_it_is() {
    isolated!({
        for kind in NAMED {
            let named = Named::new(kind);
            drop(
                named
                    .options
                    .create(&named.name)
                    .expect("makes the directory, too"),
            );
            named.options.unlink(&named.name).expect("there");
            let path = named.path();
            let victim = named.dir.join("victim");
            std::fs::write(&victim, "precious").expect("ours");
            let squats: [(&str, &dyn Fn(), ErrorKind); 9] = [
                (
                    "a file",
                    &|| std::fs::write(&path, "precious").expect("ours"),
                    ErrorKind::Corrupt,
                ),
                (
                    "zeros",
                    &|| std::fs::write(&path, [0; 9000]).expect("ours"),
                    ErrorKind::Corrupt,
                ),
                (
                    "ones",
                    &|| std::fs::write(&path, [255; 9000]).expect("ours"),
                    ErrorKind::Corrupt,
                ),
                (
                    "seven bytes",
                    &|| std::fs::write(&path, b"ipc-shm").expect("ours"),
                    ErrorKind::Corrupt,
                ),
                (
                    "a link",
                    &|| symlink(&victim, &path).expect("ours"),
                    ErrorKind::WrongType,
                ),
                (
                    "a dangling link",
                    &|| symlink("nowhere", &path).expect("ours"),
                    ErrorKind::WrongType,
                ),
                (
                    "a directory",
                    &|| std::fs::create_dir(&path).expect("ours"),
                    ErrorKind::WrongType,
                ),
                (
                    "a socket",
                    &|| drop(std::os::unix::net::UnixListener::bind(&path).expect("ours")),
                    ErrorKind::WrongType,
                ),
                (
                    "a second name",
                    &|| std::fs::hard_link(&victim, &path).expect("ours"),
                    ErrorKind::Denied,
                ),
            ];
            for (what, squat, kind_of_error) in squats {
                if what == "a second name" && kind == Backing::Posix {
                    continue; // another file system
                }
                squat();
                assert_refused(&named, kind_of_error, what);
                let _ = std::fs::remove_file(&path);
                let _ = std::fs::remove_dir(&path);
                assert_eq!(
                    std::fs::read(&victim).expect("there"),
                    b"precious",
                    "{what}"
                );
            }
        }
    });
}

fn assert_refused(named: &Named, kind: ErrorKind, what: &str) {
    for outcome in [
        named.options.open(&named.name),
        named.options.try_open(&named.name),
        named.options.open_or_create(&named.name),
    ] {
        let error = outcome.map(drop).expect_err(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
    }
    let error = named.options.unlink(&named.name).expect_err(what);
    assert_eq!(error.kind(), kind, "unlink, {what}: {error}");
    let mut stale = named.options.clone();
    stale.replace_stale(true);
    for options in [&named.options, &stale] {
        let error = options.create(&named.name).map(drop).expect_err(what);
        assert_eq!(
            error.kind(),
            ErrorKind::AlreadyExists,
            "create, {what}: {error}"
        );
    }
    assert!(named.path().symlink_metadata().is_ok(), "{what} stays");
}
