//! The runtime directory: where it stands, who may be in it, and which bases are refused.

use ipc_core::{ErrorKind, Name};
use ipc_sys::RuntimeDirectory;
use ipc_testkit::{Role, Stage, TempDir, isolated, set_umask, skip};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("ours");
}

/// Opens the user's own directory, and checks that what comes of it is argument 0.
pub(crate) fn open_and_say(stage: Stage) {
    let found = match RuntimeDirectory::open() {
        Ok(directory) => directory.path().display().to_string(),
        Err(error) => {
            assert!(error.to_string().contains("Options::directory"), "{error}");
            format!("{:?}", error.kind())
        }
    };
    assert_eq!(found, stage.argument(0));
}

fn opens(base: Option<&str>, expected: &str) {
    Role::new("opener")
        .argument(expected)
        .environment("XDG_RUNTIME_DIR", base)
        .spawn()
        .done();
}

#[test]
fn it_stands_where_the_environment_says_and_is_private() {
    let dir = TempDir::new();
    let base = dir.path().display().to_string();
    for _ in 0..2 {
        opens(Some(&base), &format!("{base}/ipc"));
        assert_eq!(mode(&dir.join("ipc")), 0o700);
    }
}

#[test]
fn without_an_absolute_base_it_stands_under_run() {
    // Where it was not before, it is not afterwards.
    let run = Path::new("/run/ipc");
    let was_there = run.exists();
    let may = rustix::fs::access("/run", rustix::fs::Access::WRITE_OK).is_ok();
    let ours = |path: &Path| {
        let owner = std::fs::symlink_metadata(path).map(|found| found.uid());
        owner.is_ok_and(|owner| owner == rustix::process::geteuid().as_raw())
    };
    if was_there && !ours(run) {
        skip!("/run/ipc is another user's");
    }
    for base in [None, Some("relative/base"), Some("")] {
        opens(
            base,
            if may || was_there {
                "/run/ipc"
            } else {
                "Denied"
            },
        );
    }
    if !was_there && may {
        let _ = std::fs::remove_dir(run);
    }
}

#[test]
fn a_base_that_strangers_may_write_to_is_refused_and_nothing_is_made_there() {
    let dir = TempDir::new();
    let base = dir.path().display().to_string();
    for bits in [0o1777, 0o777, 0o770, 0o720, 0o702] {
        set_mode(dir.path(), bits);
        opens(Some(&base), "Denied");
        assert!(!dir.join("ipc").exists(), "{bits:o}");
    }
    if std::fs::metadata("/tmp").is_ok_and(|found| found.mode() & 0o002 != 0) {
        let before = Path::new("/tmp/ipc").exists();
        opens(Some("/tmp"), "Denied");
        assert_eq!(Path::new("/tmp/ipc").exists(), before);
    }
    set_mode(dir.path(), 0o700);
    opens(
        Some(&dir.join("no such base").display().to_string()),
        "NotFound",
    );
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(dir.path(), Some(12_345), None).expect("root may");
        opens(Some(&base), "Denied");
    }
}

#[test]
fn it_is_exactly_private_whatever_the_umask() {
    isolated!({
        let dir = TempDir::new();
        for umask in [0, 0o022, 0o077, 0o777] {
            let path = dir.join(format!("{umask:o}"));
            let before = set_umask(umask);
            let made = RuntimeDirectory::open_at(&path);
            set_umask(before);
            let made = made.expect("made");
            assert_eq!(mode(made.path()), 0o700, "umask {umask:o}");
            // As its maker leaves it who is killed before it has set the mode.
            set_mode(&path, 0o700 & !umask);
            RuntimeDirectory::open_at(&path).expect("finished");
            assert_eq!(mode(&path), 0o700, "umask {umask:o}");
        }
    });
}

#[test]
fn what_is_not_ours_alone_is_refused() {
    let dir = TempDir::new();
    let path = dir.join("run");
    std::fs::create_dir(&path).expect("ours");
    for bits in [0o701, 0o710, 0o755, 0o777, 0o1777] {
        set_mode(&path, bits);
        let error = RuntimeDirectory::open_at(&path).expect_err("others may enter");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("Options::directory"), "{error}");
        assert_eq!(mode(&path), bits, "left as it is");
    }
    set_mode(&path, 0o700);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12_345), None).expect("root may");
        let error = RuntimeDirectory::open_at(&path).expect_err("another user's");
        assert_eq!(error.kind(), ErrorKind::Denied);
    }
    std::fs::write(dir.join("file"), "").expect("a file");
    for (name, target) in [
        ("link", "run"),
        ("to file", "file"),
        ("dangling", "nowhere"),
    ] {
        symlink(target, dir.join(name)).expect("a link");
    }
    for name in ["file", "link", "to file", "dangling"] {
        let error = RuntimeDirectory::open_at(&dir.join(name)).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::WrongType, "{name}");
    }
    assert!(!dir.join("nowhere").exists());
}

#[test]
fn no_nasty_name_gets_into_it() {
    let dir = TempDir::new();
    let directory = RuntimeDirectory::open_at(&dir.join("run")).expect("made");
    let names = ipc_testkit::nasty_names();
    assert!(names.len() >= 300, "{}", names.len());
    let mut taken = 0;
    for name in names
        .iter()
        .filter_map(|name| std::str::from_utf8(name).ok())
    {
        let Ok(name) = Name::new(name) else {
            continue;
        };
        taken += 1;
        let place = directory.place_of(&name);
        assert_eq!(place.parent(), Some(directory.path()));
        assert_eq!(directory.path_of(&name), place.path());
        assert!(place.file_name().is_some_and(|last| last == name.as_str()));
        assert!(!name.as_str().starts_with(['.', '-']));
    }
    assert!(taken > 60, "letters and digits are harmless: {taken}");
}
