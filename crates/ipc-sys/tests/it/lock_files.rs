//! Lock files: who holds one, who may, and what a killed owner leaves.

use ipc_core::ErrorKind;
use ipc_sys::{LockFile, RuntimeDirectory};
use ipc_testkit::{Role, Stage, TempDir, isolated, set_umask, skip, watchdog};
use rustix::process::{Gid, Uid};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const STRANGER: u32 = 12_345;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").mode() & 0o7777
}

pub(crate) fn lock_and_wait(mut stage: Stage) {
    let _lock = LockFile::acquire(stage.argument(0)).expect("free");
    drop(stage.descriptor()); // says that it is locked
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_owners_file_is_taken_over_and_a_live_ones_is_not() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("a lock");
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    let owner = Role::new("locker")
        .argument(path.display())
        .descriptor(&tell)
        .spawn();
    drop(tell);
    assert_eq!(rustix::io::read(&told, &mut [0u8; 1]), Ok(0));
    let held = LockFile::acquire(&path).expect_err("its owner lives");
    assert_eq!(held.kind(), ErrorKind::AlreadyExists);
    owner.kill();
    owner.wait();
    assert!(path.exists(), "a kill leaves the file");
    drop(LockFile::acquire(&path).expect("its owner is dead"));
    assert!(!path.exists());
}

#[test]
fn it_is_exactly_private_whatever_the_umask() {
    isolated!({
        let dir = TempDir::new();
        let run = RuntimeDirectory::open_at(&dir.join("run")).expect("made");
        let name = "jobs".parse().expect("a good name");
        for umask in [0, 0o022, 0o077, 0o777] {
            let before = set_umask(umask);
            let by_path = LockFile::acquire(dir.join("lock"));
            let by_name = LockFile::acquire(run.place_of(&name).beside(".lock"));
            set_umask(before);
            assert_eq!(mode(&dir.join("lock")), 0o600, "umask {umask:o}");
            assert_eq!(mode(&dir.join("run/jobs.lock")), 0o600, "umask {umask:o}");
            drop((by_path.expect("free"), by_name.expect("free")));
        }
    });
}

#[test]
fn a_file_that_others_may_open_is_refused_and_left_as_it_is() {
    let dir = TempDir::new();
    let path = dir.join("lock");
    std::fs::write(&path, "").expect("ours");
    for bits in [
        0o601, 0o602, 0o604, 0o610, 0o620, 0o640, 0o644, 0o666, 0o777,
    ] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(bits)).expect("ours");
        let error = LockFile::acquire(&path).expect_err("others may hold it");
        assert_eq!(error.kind(), ErrorKind::Denied, "{bits:o}");
        assert!(error.to_string().contains("0600"), "{error}");
        assert_eq!(mode(&path), bits);
    }
}

#[test]
fn one_left_without_its_mode_is_finished_by_the_next_owner() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("lock");
        if rustix::process::geteuid().is_root() {
            // Root passes every permission: be somebody else for the rest.
            std::os::unix::fs::chown(dir.path(), Some(STRANGER), Some(STRANGER)).expect("root may");
            let (user, group) = (Uid::from_raw(STRANGER), Gid::from_raw(STRANGER));
            rustix::thread::set_thread_res_gid(group, group, group).expect("root may");
            rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
        }
        // What the umask leaves of 0600, where the maker is killed before it has set the mode.
        for bits in [0o000, 0o200, 0o400] {
            std::fs::write(&path, "").expect("ours");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(bits)).expect("ours");
            let lock = LockFile::acquire(&path).expect("finished");
            assert_eq!(mode(&path), 0o600, "{bits:o}");
            drop(lock);
            assert!(!path.exists());
        }
        // Another's is none of our business.
        std::fs::create_dir(&path).expect("ours");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).expect("ours");
        let error = LockFile::acquire(&path).expect_err("a folder");
        assert_eq!(error.kind(), ErrorKind::WrongType);
    });
}

#[test]
fn another_users_file_is_refused() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to give a file to another user");
    }
    let dir = TempDir::new();
    let path = dir.join("lock");
    std::fs::write(&path, "precious").expect("ours");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("ours");
    std::os::unix::fs::chown(&path, Some(STRANGER), None).expect("root may");
    let error = LockFile::acquire(&path).expect_err("another user's");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("another user"), "{error}");
    assert_eq!(std::fs::read(&path).expect("there"), b"precious");
}

#[test]
fn another_user_cannot_take_our_lock() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    isolated!({
        let dir = TempDir::new();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).expect("ours");
        let held = LockFile::acquire(dir.join("held")).expect("free");
        std::fs::write(dir.join("left"), "").expect("ours");
        std::fs::set_permissions(dir.join("left"), PermissionsExt::from_mode(0o600)).expect("ours");
        let stranger = std::thread::scope(|scope| {
            // Ids are a thread's own.
            let trying = scope.spawn(|| {
                let user = Uid::from_raw(STRANGER);
                rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
                ["held", "left"].map(|name| LockFile::acquire(dir.join(name)).map(drop))
            });
            trying.join().expect("no panic")
        });
        for outcome in stranger {
            assert_eq!(outcome.expect_err("ours").kind(), ErrorKind::Denied);
        }
        assert!(dir.join("left").exists());
        drop(held);
    });
}
