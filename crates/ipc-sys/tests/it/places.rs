//! Names beneath a directory that is held: whoever replaces its path changes nothing.

use ipc_core::{ErrorKind, Mode};
use ipc_sys::{Inode, Place, RuntimeDirectory, ToPlace};
use ipc_testkit::{TempDir, deny, isolated};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use std::os::unix::fs::symlink;

fn place(dir: &TempDir, name: &str) -> Place {
    let run = RuntimeDirectory::open_at(&dir.join("run")).expect("made");
    run.place_of(&name.parse().expect("a good name"))
}

/// What must hold by openat2, and where a sandbox lacks it.
fn exercise() {
    let dir = TempDir::new();
    let jobs = place(&dir, "jobs");
    assert_eq!(jobs.path(), dir.join("run/jobs"));
    assert!(jobs.is_beneath_a_directory());
    assert!(!jobs.path().to_place().is_beneath_a_directory());
    // Somebody takes the directory away and puts a trap at its path.
    std::fs::rename(dir.join("run"), dir.join("moved")).expect("ours");
    std::fs::create_dir(dir.join("run")).expect("ours");
    std::fs::write(dir.join("run/jobs"), "a trap").expect("ours");
    jobs.make_fifo("create", Mode::PRIVATE).expect("beneath");
    assert!(dir.join("moved/jobs").exists());
    let (_, stat) = jobs.open_reference("open").expect("beneath");
    assert_eq!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo);
    let again = jobs.make_fifo("create", Mode::PRIVATE).expect_err("there");
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let lock = jobs.beside(".lock");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    lock.open(flags, 0o600).expect("beneath");
    assert!(dir.join("moved/jobs.lock").exists());
    assert!(
        jobs.unlink_same("unlink", Inode::from(&stat))
            .expect("ours")
    );
    assert!(!dir.join("moved/jobs").exists());
    assert_eq!(
        std::fs::read(dir.join("run/jobs")).expect("untouched"),
        b"a trap"
    );
    // A link beneath it is seen, never followed.
    for target in ["../run/jobs", "/etc/passwd", "jobs.lock", "nowhere"] {
        symlink(target, dir.join("moved/jobs")).expect("a link");
        for flags in [OFlags::RDONLY, OFlags::RDWR | OFlags::CREATE] {
            assert_eq!(
                jobs.open(flags, if flags == OFlags::RDONLY { 0 } else { 0o600 })
                    .err(),
                Some(Errno::LOOP),
                "{target}"
            );
        }
        let (_, stat) = jobs.open_reference("open").expect("the link itself");
        assert_eq!(FileType::from_raw_mode(stat.st_mode), FileType::Symlink);
        assert!(
            jobs.unlink_same("unlink", Inode::from(&stat))
                .expect("ours")
        );
    }
    assert!(!dir.join("moved/nowhere").exists());
}

#[test]
fn a_name_stays_beneath_the_directory_that_was_checked() {
    isolated!({
        exercise();
    });
}

#[test]
fn a_name_stays_beneath_it_without_openat2_enosys() {
    isolated!({
        deny(libc::SYS_openat2, libc::ENOSYS);
        exercise();
    });
}

#[test]
fn a_name_stays_beneath_it_without_openat2_eperm() {
    isolated!({
        deny(libc::SYS_openat2, libc::EPERM);
        exercise();
    });
}
