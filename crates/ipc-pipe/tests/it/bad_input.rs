//! What may stand at a FIFO's path, and what a path may look like.

use ipc_pipe::{ErrorKind, Options};
use ipc_testkit::{Role, Stage, TempDir, isolated, skip};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// How many nasty names there are at least.
pub(crate) const NAMES: usize = 300;
const STRANGER: u32 = 12_345;

fn assert_refused(path: &Path, kind: ErrorKind, what: &str) {
    for (verb, outcome) in [
        ("open", ipc_pipe::open(path)),
        ("open_or_create", ipc_pipe::open_or_create(path)),
    ] {
        let error = outcome.map(drop).expect_err(what);
        assert_eq!(error.kind(), kind, "{verb}, {what}: {error}");
    }
    let error = ipc_pipe::create(path).map(drop).expect_err(what);
    assert_eq!(
        error.kind(),
        ErrorKind::AlreadyExists,
        "create, {what}: {error}"
    );
}

#[test]
fn nothing_but_a_fifo_of_ours_is_opened_and_what_is_there_stays_as_it_is() {
    isolated!({
        let dir = TempDir::new();
        let (file, folder) = (dir.join("file"), dir.join("folder"));
        std::fs::write(&file, "precious").expect("a file");
        std::fs::create_dir(&folder).expect("a folder");
        let socket = dir.join("socket");
        drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
        let fifo = dir.join("fifo");
        ipc_pipe::create(&fifo).expect("a FIFO");
        for (name, target) in [
            ("link to file", file.as_path()),
            ("link to folder", &folder),
            ("link to fifo", &fifo),
            ("dangling link", Path::new("nowhere")),
            ("link to itself", Path::new("link to itself")),
        ] {
            symlink(target, dir.join(name)).expect("a link");
            assert_refused(&dir.join(name), ErrorKind::WrongType, name);
        }
        assert_refused(&file, ErrorKind::WrongType, "a regular file");
        assert_refused(&folder, ErrorKind::WrongType, "a directory");
        assert_refused(&socket, ErrorKind::WrongType, "a socket");
        assert_refused(Path::new("/dev/null"), ErrorKind::WrongType, "a device");
        std::fs::hard_link(&fifo, dir.join("second name")).expect("a hard link");
        assert_refused(&fifo, ErrorKind::Denied, "a FIFO with two names");
        std::fs::remove_file(dir.join("second name")).expect("there");
        std::fs::set_permissions(&fifo, PermissionsExt::from_mode(0o622)).expect("ours");
        assert_refused(
            &fifo,
            ErrorKind::Denied,
            "a FIFO that strangers may write to",
        );
        Options::new().mode(0o622).open(&fifo).expect("it is meant");
        assert_eq!(std::fs::read(&file).expect("still there"), b"precious");
    });
}

#[test]
fn a_foreign_fifo_is_refused_unless_it_is_meant() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to give a FIFO to another user");
    }
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("foreign");
        ipc_pipe::create(&path).expect("a FIFO");
        std::os::unix::fs::chown(&path, Some(12_345), None).expect("root may");
        assert_refused(&path, ErrorKind::Denied, "another user's FIFO");
        let error = ipc_pipe::open(&path).expect_err("another user's");
        assert!(error.to_string().contains("12345"), "{error}");
        Options::new()
            .foreign_owner(true)
            .open(&path)
            .expect("it is meant");
    });
}

/// Becomes another user and is refused at the FIFO in argument 0, by every verb.
pub(crate) fn try_as_another_user(stage: Stage) {
    let user = rustix::process::Uid::from_raw(STRANGER);
    let group = rustix::process::Gid::from_raw(STRANGER);
    rustix::thread::set_thread_res_gid(group, group, group).expect("root may");
    rustix::thread::set_thread_groups(&[]).expect("root may");
    rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
    let fifo = Options::new()
        .foreign_owner(true)
        .open(stage.argument(0))
        .expect("its name can be seen");
    for outcome in [
        fifo.receiver().map(drop),
        fifo.try_sender().map(drop),
        fifo.sender().map(drop),
        fifo.unlink().map(drop),
    ] {
        assert_eq!(outcome.expect_err("another's").kind(), ErrorKind::Denied);
    }
}

#[test]
fn another_user_is_kept_out_of_a_fifo_by_its_mode() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    let dir = TempDir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let fifo = ipc_pipe::create(dir.join("fifo")).expect("a FIFO");
    Role::new("stranger")
        .argument(fifo.path().display())
        .spawn()
        .done();
    assert!(fifo.unlink().expect("still there"));
}

#[test]
fn any_bytes_make_a_path_but_nul_and_every_error_names_the_path() {
    isolated!({
        let dir = TempDir::new();
        let names = ipc_testkit::nasty_names();
        assert!(names.len() >= NAMES, "{}", names.len());
        let mut made = 0;
        for name in &names {
            let folder = TempDir::new();
            std::fs::create_dir_all(folder.join("a/b")).expect("folders");
            // What begins with a slash leads to the host itself: look at it in our folder.
            let bare = name.strip_prefix(b"/").unwrap_or(name);
            let path = folder.join("a/b").join(OsStr::from_bytes(bare));
            match ipc_pipe::create(&path) {
                Ok(fifo) => {
                    made += 1;
                    assert!(fifo.unlink().expect("ours"));
                    let error = ipc_pipe::open(&path).expect_err("gone");
                    assert_eq!(error.kind(), ErrorKind::NotFound);
                    let text = error.to_string();
                    assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
                }
                Err(error) => {
                    assert_ne!(error.kind(), ErrorKind::Other, "{name:?}: {error}");
                    let text = error.to_string();
                    assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
                    if name.contains(&0) {
                        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
                    }
                }
            }
            let left = |at: &str| std::fs::read_dir(folder.join(at)).expect("there").count();
            assert_eq!((left(""), left("a"), left("a/b")), (1, 1, 0), "{name:?}");
        }
        assert!(made > 250, "any bytes make a name but NUL: {made}");
        for (name, kind) in [
            (vec![b'n'; 256], ErrorKind::InvalidInput),
            (b"a\0b".to_vec(), ErrorKind::InvalidInput),
            (b"no/such/folder".to_vec(), ErrorKind::NotFound),
        ] {
            let path = dir.join(OsStr::from_bytes(&name));
            for outcome in [ipc_pipe::create(&path), ipc_pipe::open(&path)] {
                assert_eq!(
                    outcome.map(drop).expect_err("impossible").kind(),
                    kind,
                    "{path:?}"
                );
            }
        }
        assert_eq!(
            ipc_pipe::open("").expect_err("empty").kind(),
            ErrorKind::NotFound
        );
        let set_id = Options::new()
            .mode(0o4600)
            .create(dir.join("x"))
            .expect_err("set-id");
        assert_eq!(set_id.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_directory_without_rights_says_denied() {
    if rustix::process::geteuid().is_root() {
        skip!("root passes every permission");
    }
    let dir = TempDir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o500)).expect("ours");
    let error = ipc_pipe::create(dir.join("x")).expect_err("no right to write");
    assert_eq!(error.kind(), ErrorKind::Denied);
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).expect("ours");
}

#[test]
fn only_the_right_end_of_a_pipe_is_adopted() {
    use std::os::fd::OwnedFd;
    isolated!({
        let options = Options::new();
        let mut records = Options::new();
        records.record(true);
        let copy = |fd: &dyn std::os::fd::AsFd| fd.as_fd().try_clone_to_owned().expect("a copy");
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        options.adopt_sender(copy(&tx)).expect("the writing end");
        options.adopt_receiver(copy(&rx)).expect("the reading end");
        let not_records = records.adopt_sender(copy(&tx)).expect_err("bytes");
        assert_eq!(not_records.kind(), ErrorKind::InvalidInput);
        let (packets, kept) = records.pair().expect("a pipe");
        let adopted = records.adopt_sender(copy(&packets)).expect("records");
        adopted.send(b"whole").expect("send");
        packets.send(b"alone").expect("send");
        let rx_records = records.adopt_receiver(copy(&kept)).expect("records");
        assert_eq!(rx_records.recv(&mut [0; 4096]).expect("one of two"), 5);
        let file = || OwnedFd::from(std::fs::File::open("/dev/null").expect("a device"));
        let socket = || OwnedFd::from(std::os::unix::net::UnixStream::pair().expect("sockets").0);
        for wrong in [copy(&rx), file(), socket()] {
            let error = options.adopt_sender(wrong).expect_err("no writing end");
            assert_eq!(error.kind(), ErrorKind::WrongType);
        }
        for wrong in [copy(&tx), file(), socket()] {
            let error = options.adopt_receiver(wrong).expect_err("no reading end");
            assert_eq!(error.kind(), ErrorKind::WrongType);
        }
    });
}
