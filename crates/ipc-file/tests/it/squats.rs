//! What somebody else has put in the place of a file: generated, and every one refused, with the
//! victim as it was.

use ipc_file::{Error, ErrorKind, Options};
use ipc_testkit::TempDir;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What stands in the place.
#[derive(Clone, Copy, Debug)]
enum Squat {
    LinkToFile,
    LinkToDirectory,
    LinkToNothing,
    LinkLoop,
    HardLink,
    Fifo,
    Socket,
    Directory,
    Device,
}

const SQUATS: [Squat; 9] = [
    Squat::LinkToFile,
    Squat::LinkToDirectory,
    Squat::LinkToNothing,
    Squat::LinkLoop,
    Squat::HardLink,
    Squat::Fifo,
    Squat::Socket,
    Squat::Directory,
    Squat::Device,
];

/// Puts it there; false where this user may not.
fn put(squat: Squat, path: &Path, victim: &Path) -> bool {
    use rustix::fs::{CWD, FileType, Mode};
    let link = |to: &Path| std::os::unix::fs::symlink(to, path).is_ok();
    let node = |kind, device| {
        rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), device).is_ok()
    };
    match squat {
        Squat::LinkToFile => link(victim),
        Squat::LinkToDirectory => link(victim.parent().expect("a directory")),
        Squat::LinkToNothing => link(&victim.with_extension("none")),
        Squat::LinkLoop => link(path),
        Squat::HardLink => std::fs::hard_link(victim, path).is_ok(),
        Squat::Fifo => node(FileType::Fifo, 0),
        Squat::Socket => std::os::unix::net::UnixListener::bind(path).is_ok(),
        Squat::Directory => std::fs::create_dir(path).is_ok(),
        Squat::Device => node(FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
    }
}

/// Opens what stands at a path.
type Open<'a> = Box<dyn Fn(&Path) -> Result<(), Error> + 'a>;

/// Every verb that opens a file by its path.
fn verbs(options: &Options) -> [(&'static str, Open<'_>); 5] {
    [
        (
            "open_lock",
            Box::new(|path| options.open_lock(path).map(drop)),
        ),
        (
            "open_log",
            Box::new(|path| options.open_log(path).map(drop)),
        ),
        ("follow", Box::new(|path| options.follow(path).map(drop))),
        (
            "document",
            Box::new(|path| options.open_document(path).map(drop)),
        ),
        ("spool", Box::new(|path| options.open_spool(path).map(drop))),
    ]
}

#[test]
fn whatever_is_no_file_of_ours_is_refused_under_every_nasty_name() {
    let dir = TempDir::new();
    let victim = dir.join("victim");
    std::fs::write(&victim, "untouched").expect("ours");
    let options = Options::new();
    let long = "n".repeat(255);
    let names = [
        "plain",
        "-rf",
        " ",
        "a\nb",
        "ä",
        "\u{202e}txt",
        "*",
        "$(id)",
        "'",
        ".hidden",
        "~",
        &long,
    ];
    let mut cases = 0;
    for (at, name) in names.iter().enumerate() {
        for squat in SQUATS {
            for round in 0..2 {
                let inside = dir.join(format!("{at} {squat:?} {round}"));
                std::fs::create_dir(&inside).expect("ours");
                let path = inside.join(name);
                if !put(squat, &path, &victim) {
                    continue;
                }
                for (verb, open) in verbs(&options) {
                    if verb == "spool" && matches!(squat, Squat::Directory) {
                        continue;
                    }
                    let error = open(&path).expect_err(verb);
                    let kinds = [ErrorKind::WrongType, ErrorKind::Denied];
                    assert!(
                        kinds.contains(&error.kind()),
                        "{verb} {squat:?} {name:?}: {error}"
                    );
                    cases += 1;
                }
                assert!(path.symlink_metadata().is_ok(), "{squat:?} still stands");
            }
        }
    }
    assert_eq!(std::fs::read(&victim).expect("ours"), b"untouched");
    let others = std::fs::read_dir(dir.path()).expect("ours").flatten();
    assert!(
        others
            .map(|entry| entry.path())
            .all(|path| path != victim.with_extension("none"))
    );
    assert!(cases >= 800, "{cases} cases");
}

#[test]
fn a_squat_that_comes_between_two_replacements_is_refused_and_stays() {
    let dir = TempDir::new();
    let victim = dir.join("victim");
    std::fs::write(&victim, "untouched").expect("ours");
    let mut cases = 0;
    for squat in SQUATS {
        let path = dir.join(format!("{squat:?}"));
        let document = ipc_file::open_document(&path).expect("none");
        document.replace(b"mine").expect("room");
        std::fs::remove_file(&path).expect("ours");
        if !put(squat, &path, &victim) {
            continue;
        }
        for _ in 0..5 {
            let error = document.replace(b"again").expect_err("refused");
            let kinds = [ErrorKind::WrongType, ErrorKind::Denied];
            assert!(kinds.contains(&error.kind()), "{squat:?}: {error}");
            if !matches!(squat, Squat::HardLink) {
                let error = document.read().expect_err("refused");
                assert_eq!(error.kind(), ErrorKind::WrongType, "{squat:?}");
            }
            cases += 1;
        }
        let left = std::fs::read_dir(dir.path()).expect("ours").flatten();
        let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".ipc"));
        assert_eq!(left.count(), 0, "{squat:?}");
    }
    assert_eq!(std::fs::read(&victim).expect("ours"), b"untouched");
    assert!(cases >= 40);
}

#[test]
fn a_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        ipc_testkit::skip!("only root can make a file of another user");
    }
    let dir = TempDir::new();
    let options = Options::new();
    let path = dir.join("f");
    std::fs::write(&path, "theirs").expect("ours");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).expect("ours");
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("root");
    let sub = dir.join("d");
    std::fs::create_dir(&sub).expect("ours");
    std::fs::set_permissions(&sub, PermissionsExt::from_mode(0o700)).expect("ours");
    std::os::unix::fs::chown(&sub, Some(65534), Some(65534)).expect("root");
    for (verb, open) in verbs(&options) {
        let path = if verb == "spool" { &sub } else { &path };
        assert_eq!(
            open(path).expect_err(verb).kind(),
            ErrorKind::Denied,
            "{verb}"
        );
    }
    assert_eq!(std::fs::read(&path).expect("ours"), b"theirs");
}

#[test]
fn a_path_without_a_name_is_refused() {
    let options = Options::new();
    for path in ["", "/", ".", "..", "/tmp/", "a/.."] {
        for (verb, open) in verbs(&options) {
            let error = open(Path::new(path)).expect_err(verb);
            assert_eq!(
                error.kind(),
                ErrorKind::InvalidInput,
                "{verb} {path:?}: {error}"
            );
        }
    }
}

#[test]
fn any_bytes_are_a_name_and_a_directory_may_be_reached_through_a_link() {
    use std::os::unix::ffi::OsStrExt;
    let dir = TempDir::new();
    std::fs::create_dir(dir.join("real")).expect("ours");
    std::os::unix::fs::symlink(dir.join("real"), dir.join("link")).expect("ours");
    for name in [&b"\xff\xfe"[..], b"-", b" ", b"\n", &[b'x'; 255]] {
        let path = dir.join("link").join(std::ffi::OsStr::from_bytes(name));
        let document = ipc_file::open_document(&path).expect("a name");
        document.replace(b"x").expect("room");
        assert_eq!(document.read().expect("there"), b"x");
    }
    let long = dir.join("x".repeat(256));
    let error = ipc_file::open_document(long)
        .map(drop)
        .expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
