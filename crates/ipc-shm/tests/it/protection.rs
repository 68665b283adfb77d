//! Protections are only ever narrowed, by anybody, through any way to the memory.

use crate::fork::{become_user, in_child};
use ipc_shm::{Backing, ErrorKind, Options, Protection, Region};
use ipc_testkit::{Role, Stage, isolated, skip};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

fn reopen(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

fn one_writer() -> Region {
    let mut options = Options::new();
    options.size_bytes(4096).protection(Protection::ReadOnly);
    options.anonymous().expect("made")
}

/// Tries every way to write to memory that it was given read-only; a role of the same user.
pub(crate) fn try_to_widen(mut stage: Stage) {
    let fd = stage.descriptor();
    let refused = |outcome: rustix::io::Result<usize>| {
        let errno = outcome.expect_err("a write");
        assert!(
            [Errno::PERM, Errno::BADF, Errno::ACCESS].contains(&errno),
            "{errno:?}"
        );
    };
    refused(rustix::io::pwrite(&fd, b"x", 4096));
    if let Ok(wide) = reopen(fd.as_fd()) {
        // The user may open it, but the seals stand on the memory, not on a descriptor.
        refused(rustix::io::pwrite(&wide, b"x", 4096));
        assert!(Region::from_fd(wide).expect("a region").is_read_only());
    }
    let region = Region::from_fd(fd).expect("a region");
    assert!(region.is_read_only());
    assert_eq!(region.protection().expect("asked"), Protection::ReadOnly);
    assert_eq!(
        region.write_at(0, b"x").expect_err("read-only").kind(),
        ErrorKind::Denied
    );
}

#[test]
fn one_writers_memory_is_read_only_for_everybody_else() {
    let region = one_writer();
    region.write_at(0, b"before").expect("the maker writes");
    Role::new("widen")
        .descriptor(region.as_fd().expect("memory"))
        .spawn()
        .done();
    let narrow = region.to_read_only_fd().expect("a copy");
    Role::new("widen").descriptor(&narrow).spawn().done();
    region
        .write_at(0, b"after!")
        .expect("the maker still writes");
    let mut copy = [0; 6];
    Region::from_fd(narrow)
        .expect("a region")
        .read_at(0, &mut copy)
        .expect("inside");
    assert_eq!(&copy, b"after!");
}

#[test]
fn another_user_cannot_widen_what_it_was_given() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user");
    }
    isolated!({
        let shared = ipc_shm::anonymous(4096).expect("made");
        let narrow = shared.to_read_only_fd().expect("a copy");
        let sealed = one_writer();
        in_child(|| {
            become_user(65_534);
            for fd in [narrow.as_fd(), sealed.as_fd().expect("memory")] {
                let errno = reopen(fd).map(drop).expect_err("mode 0600");
                assert!([Errno::ACCESS, Errno::PERM].contains(&errno), "{errno:?}");
            }
            let region = Region::from_fd(narrow.try_clone().expect("a copy")).expect("a region");
            assert!(region.is_read_only());
            assert_eq!(
                region.write_at(0, b"x").expect_err("denied").kind(),
                ErrorKind::Denied
            );
        });
    });
}

#[test]
fn a_protection_goes_down_the_list_and_never_up() {
    let mut options = Options::new();
    let mut region = options
        .size_bytes(4096)
        .narrowable(true)
        .anonymous()
        .expect("made");
    assert!(region.is_narrowable());
    region.write_at(0, &[1; 8]).expect("inside");
    assert_eq!(
        region.view::<u64>(0).expect_err("it may change").kind(),
        ErrorKind::Denied
    );
    region.protect(Protection::ReadWrite).expect("as it is");
    region.protect(Protection::ReadOnly).expect("narrower");
    region.write_at(8, &[2; 8]).expect("our mapping is older");
    assert_eq!(
        region
            .protect(Protection::ReadWrite)
            .expect_err("wider")
            .kind(),
        ErrorKind::Denied
    );
    let other = region.clone();
    let error = region
        .protect(Protection::Immutable)
        .expect_err("another handle");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    drop(other);
    region.protect(Protection::Immutable).expect("the only one");
    assert!(region.is_read_only() && !region.is_narrowable());
    assert_eq!(
        region.view_bytes(0, 16).expect("lent"),
        [[1; 8], [2; 8]].concat()
    );
    assert_eq!(
        region.write_at(0, b"x").expect_err("nobody").kind(),
        ErrorKind::Denied
    );
    let peer = Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
    assert_eq!(*peer.view::<u64>(8).expect("lent"), 0x0202_0202_0202_0202);
    assert_eq!(peer.protection().expect("asked"), Protection::Immutable);
}

#[test]
fn nothing_becomes_immutable_while_another_can_write() {
    let mut options = Options::new();
    let mut region = options
        .size_bytes(4096)
        .narrowable(true)
        .anonymous()
        .expect("made");
    let peer = Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
    let error = region
        .protect(Protection::Immutable)
        .expect_err("the peer writes");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    region.write_at(0, b"still ours").expect("as before");
    drop(peer);
    region.protect(Protection::Immutable).expect("alone now");
}

#[test]
fn what_was_not_said_at_the_start_is_refused_later() {
    let mut fixed = ipc_shm::anonymous(4096).expect("made");
    for protection in [Protection::ReadOnly, Protection::Immutable] {
        let error = fixed.protect(protection).expect_err("final seals");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains("narrowable"), "{error}");
    }
    fixed.write_at(0, b"unharmed").expect("as before");
    let mut options = Options::new();
    options.size_bytes(4096);
    let error = options
        .clone()
        .protection(Protection::Immutable)
        .anonymous()
        .expect_err("empty");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = options
        .clone()
        .read_only(true)
        .anonymous()
        .expect_err("no writer");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let mut segment = options.backing(Backing::SystemV).anonymous().expect("made");
    let error = segment
        .protect(Protection::ReadOnly)
        .expect_err("cannot be sealed");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
