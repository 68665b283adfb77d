//! What may stand at a socket's path that is no socket of ours: nothing is followed, opened or
//! changed.

use ipc_testkit::{Snapshot, TempDir, isolated};
use ipc_uds::{Address, ErrorKind, Options};
use rustix::fs::{CWD, FileType, Mode};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// How many inputs `twelve_kinds_of_squats_are_wrong_types_and_stay_untouched` has.
pub(crate) const SQUATS: usize = 12 * 9;

/// Twelve kinds of squats, each at its name in `dir`.
fn squats(dir: &TempDir) -> Vec<(&'static str, PathBuf)> {
    let at = |name: &str| dir.join(name);
    std::fs::write(at("file"), "precious").expect("a file");
    std::fs::write(at("empty file"), "").expect("a file");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(at("empty file"), private).expect("ours");
    std::fs::create_dir(at("folder")).expect("a folder");
    std::fs::create_dir(at("full folder")).expect("a folder");
    std::fs::write(at("full folder/file"), "precious").expect("a file");
    let fifo = |name: &str| rustix::fs::mknodat(CWD, at(name), FileType::Fifo, Mode::RWXU, 0);
    fifo("fifo").expect("a FIFO");
    std::fs::hard_link(at("file"), at("hard link")).expect("a link");
    drop(std::os::unix::net::UnixListener::bind(at("a socket")).expect("bind"));
    for (name, target) in [
        ("link to file", "file"),
        ("link to folder", "folder"),
        ("link to fifo", "fifo"),
        ("link to socket", "a socket"),
        ("dangling link", "nowhere"),
        ("link to itself", "link to itself"),
    ] {
        symlink(target, at(name)).expect("a link");
    }
    [
        "file",
        "empty file",
        "folder",
        "full folder",
        "fifo",
        "hard link",
        "link to file",
        "link to folder",
        "link to fifo",
        "link to socket",
        "dangling link",
        "link to itself",
    ]
    .map(|name| (name, at(name)))
    .to_vec()
}

fn state(path: &Path) -> (u64, u32, u64, i64) {
    let stat = rustix::fs::lstat(path).expect("it is there");
    #[allow(clippy::unnecessary_cast)]
    (
        stat.st_ino as u64,
        stat.st_mode,
        stat.st_nlink as u64,
        stat.st_mtime as i64,
    )
}

#[test]
fn twelve_kinds_of_squats_are_wrong_types_and_stay_untouched() {
    isolated!({
        let dir = TempDir::new();
        let replacing = Options::new().replace_stale(true).clone();
        let sender = ipc_uds::datagram().expect("a socket");
        let mut inputs = 0;
        for (name, path) in squats(&dir) {
            let before = state(&path);
            let held = Snapshot::take();
            for (verb, outcome) in [
                ("bind", ipc_uds::bind(&path).map(drop)),
                ("bind, replacing", replacing.bind(&path).map(drop)),
                ("seqpacket", replacing.bind_seqpacket(&path).map(drop)),
                ("datagram", replacing.bind_datagram(&path).map(drop)),
                ("connect", ipc_uds::connect(&path).map(drop)),
                ("try", ipc_uds::try_connect(&path).map(drop)),
                ("seqpacket", ipc_uds::connect_seqpacket(&path).map(drop)),
                ("datagram", ipc_uds::connect_datagram(&path).map(drop)),
                (
                    "send_to",
                    sender.send_to(b"x", &Address::path(&path).expect("short")),
                ),
            ] {
                let error = outcome.expect_err(name);
                assert_eq!(error.kind(), ErrorKind::WrongType, "{verb} {name}: {error}");
                inputs += 1;
            }
            held.assert_unchanged();
            assert_eq!(state(&path), before, "{name}");
        }
        assert_eq!(inputs, SQUATS);
        assert!(!dir.join("nowhere").exists(), "no link was followed");
        let device = ipc_uds::connect("/dev/null").expect_err("a device");
        assert_eq!(device.kind(), ErrorKind::WrongType);
        assert_eq!(std::fs::read(dir.join("file")).expect("there"), b"precious");
    });
}

#[test]
fn a_squat_in_the_locks_place_is_refused_and_stays_untouched() {
    isolated!({
        let dir = TempDir::new();
        for (name, squat) in squats(&dir) {
            let path = dir.join("server");
            let lock = dir.join("server.lock");
            std::fs::rename(&squat, &lock).expect("ours");
            // A private file of ours with one name is what a killed owner leaves.
            let usable = ["empty file"].contains(&name);
            let before = state(&lock);
            let outcome = Options::new().replace_stale(true).bind(&path);
            if usable {
                outcome.expect("a dead owner's lock");
                continue;
            }
            let kind = outcome.map(drop).expect_err(name).kind();
            let expected = [ErrorKind::WrongType, ErrorKind::Denied];
            assert!(expected.contains(&kind), "{name}: {kind:?}");
            assert_eq!(state(&lock), before, "{name}");
            assert!(!path.exists());
            std::fs::rename(&lock, &squat).expect("ours");
        }
    });
}

#[test]
fn a_path_replaced_by_a_link_while_clients_connect_is_never_followed() {
    isolated!({
        let dir = TempDir::new();
        let (path, victim) = (dir.join("socket"), dir.join("victim"));
        let trap = std::os::unix::net::UnixListener::bind(&victim).expect("bind");
        trap.set_nonblocking(true).expect("a flag");
        let listener = ipc_uds::bind(dir.join("real")).expect("bind");
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let link = dir.join("link");
                let spare = dir.join("spare");
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    symlink(&victim, &link).expect("a link");
                    std::fs::rename(&link, &path).expect("ours");
                    std::fs::hard_link(dir.join("real"), &spare).expect("a link");
                    std::fs::rename(&spare, &path).expect("ours");
                }
            });
            for _ in 0..20_000 {
                let _ = ipc_uds::try_connect(&path);
                while listener.try_accept().is_ok() {}
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(trap.accept().is_err(), "a client went through the link");
    });
}
