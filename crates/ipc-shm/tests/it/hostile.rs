//! Peers that truncate, punch, scribble, never seal, or pass something else.

use crate::headers::{Numbers, forge, good_header, sealed};
use crate::named::{Named, staged};
use ipc_shm::{Backing, DATA_OFFSET, ErrorKind, Options, Protection, Region};
use ipc_testkit::{Role, Stage, TempDir, isolated, watchdog};
use rustix::fs::{FallocateFlags, OFlags, SealFlags};
use std::os::fd::OwnedFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const SIZE: usize = 5000;
const TOTAL: usize = DATA_OFFSET + SIZE;

fn assert_refused(fd: impl Into<OwnedFd>, kind: ErrorKind, what: &str) {
    let error = Region::from_fd(fd.into()).map(drop).expect_err(what);
    assert_eq!(error.kind(), kind, "{what}: {error}");
}

#[test]
fn memory_that_is_not_sealed_enough_is_refused() {
    isolated!({
        let good = good_header(0);
        for (seals, what) in [
            (SealFlags::empty(), "no seal"),
            (SealFlags::SEAL, "only the last seal"),
            (SealFlags::GROW, "not against shrinking"),
            (SealFlags::SHRINK, "not against growing"),
            (
                SealFlags::FUTURE_WRITE | SealFlags::GROW,
                "writes, but not shrinking",
            ),
        ] {
            assert_refused(forge(&good, TOTAL, seals), ErrorKind::Denied, what);
        }
        let mut trusting = Options::new();
        trusting.trust_peers(true);
        trusting
            .attach(forge(&good, TOTAL, SealFlags::empty()))
            .expect("it is trusted");
        Region::from_fd(forge(&good, TOTAL, sealed())).expect("sealed as it should be");
    });
}

#[test]
fn memory_with_holes_is_refused() {
    isolated!({
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let fd = forge(&good_header(0), TOTAL, sealed());
        rustix::fs::fallocate(&fd, punch, 4096, 4096).expect("no seal forbids it");
        assert_refused(fd, ErrorKind::Denied, "a hole");
        // One that was never reserved: any touch may find no memory.
        let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("sparse", flags).expect("memory");
        rustix::fs::ftruncate(&fd, TOTAL as u64).expect("costs nothing");
        rustix::io::pwrite(&fd, &good_header(0), 0).expect("one page");
        rustix::fs::fcntl_add_seals(&fd, sealed()).expect("new");
        assert_refused(fd, ErrorKind::Denied, "sparse");
    });
}

#[test]
fn whatever_else_a_descriptor_may_be_is_refused() {
    isolated!({
        let dir = TempDir::new();
        let file = dir.join("file");
        std::fs::write(&file, [7; TOTAL]).expect("ours");
        let open = |path: &str, flags| {
            rustix::fs::open(path, flags | OFlags::CLOEXEC, rustix::fs::Mode::empty()).expect(path)
        };
        let wrong = ErrorKind::WrongType;
        assert_refused(std::fs::File::open(&file).expect("ours"), wrong, "a file");
        assert_refused(open("/dev/zero", OFlags::RDWR), wrong, "/dev/zero");
        assert_refused(open("/dev/null", OFlags::RDWR), wrong, "/dev/null");
        assert_refused(open("/", OFlags::RDONLY), wrong, "a directory");
        assert_refused(open("/", OFlags::PATH), wrong, "a place");
        assert_refused(
            open("/proc/self/status", OFlags::RDONLY),
            wrong,
            "a file of /proc",
        );
        let (read, write) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        assert_refused(read, wrong, "a pipe");
        assert_refused(write, ErrorKind::Denied, "the writing end of a pipe");
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("sockets");
        assert_refused(one, wrong, "a socket");
        let pid = rustix::process::getpid();
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
        assert_refused(pidfd.expect("our own"), wrong, "a pidfd");
        let region = ipc_shm::anonymous(SIZE).expect("made");
        let path = format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(&region.as_fd().expect("memory"))
        );
        assert_refused(
            open(&path, OFlags::WRONLY),
            ErrorKind::Denied,
            "only to write",
        );
        assert_refused(open(&path, OFlags::PATH), wrong, "a region's place");
    });
}

#[test]
fn a_hole_punched_later_reads_as_zeros_and_is_found_by_verify() {
    let region = ipc_shm::anonymous(3 * 4096).expect("made");
    let peer = region.to_fd().expect("a copy");
    region.write_at(0, &[7; 3 * 4096]).expect("inside");
    region.verify().expect("whole");
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&peer, punch, 2 * 4096, 4096).expect("no seal of many writers forbids");
    let error = region.verify().expect_err("punched");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let mut copy = [1; 3 * 4096];
    region.read_at(0, &mut copy).expect("no SIGBUS");
    assert!(copy[4096..8192].iter().all(|byte| *byte == 0));
    rustix::fs::fallocate(&peer, punch, 0, 4096).expect("the header, too");
    assert_eq!(
        region.verify().expect_err("no header").kind(),
        ErrorKind::Corrupt
    );
    let one_writer = Options::new()
        .size_bytes(4096)
        .protection(Protection::ReadOnly)
        .anonymous()
        .expect("made");
    let fd = one_writer.to_fd().expect("a copy");
    let refused = rustix::fs::fallocate(&fd, punch, 0, 4096);
    assert_eq!(
        refused,
        Err(rustix::io::Errno::PERM),
        "one writer's memory has no holes"
    );
}

#[test]
fn sealed_memory_can_be_neither_truncated_nor_extended() {
    let region = ipc_shm::anonymous(SIZE).expect("made");
    let peer = region.to_fd().expect("a copy");
    for length in [0, 1, DATA_OFFSET, TOTAL - 1, TOTAL + 1] {
        let refused = rustix::fs::ftruncate(&peer, length as u64);
        assert_eq!(refused, Err(rustix::io::Errno::PERM), "{length}");
    }
    let more = rustix::fs::fcntl_add_seals(&peer, SealFlags::WRITE);
    assert_eq!(more, Err(rustix::io::Errno::PERM), "the seals are final");
}

#[test]
fn a_truncated_object_is_corrupt_and_never_a_signal() {
    for kind in [Backing::Posix, Backing::File] {
        let named = Named::new(kind);
        let region = named.options.create(&named.name).expect("new");
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(named.path())
            .expect("ours");
        for length in [DATA_OFFSET + 4095, DATA_OFFSET, 64, 8, 0] {
            file.set_len(length as u64).expect("ours");
            for error in [
                region.read_at(4000, &mut [0; 96]).expect_err("cut"),
                region.write_at(4000, &[0; 96]).expect_err("cut"),
                region.verify().expect_err("cut"),
            ] {
                assert_eq!(
                    error.kind(),
                    ErrorKind::Corrupt,
                    "{kind}, {length}: {error}"
                );
            }
            let found = file.metadata().expect("ours").len();
            assert_eq!(found, length as u64, "a write must not hide it");
            let reopened = named.options.open(&named.name).map(drop);
            assert!(length == 0 || reopened.is_err_and(|e| e.kind() == ErrorKind::Corrupt));
        }
    }
}

pub(crate) fn truncate_often(stage: Stage) {
    let path = stage.argument(3);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("ours");
    let (_options, _name) = staged(&stage);
    for round in 0.. {
        file.set_len(if round % 2 == 0 { 0 } else { TOTAL as u64 })
            .expect("ours");
    }
}

#[test]
fn a_peer_that_truncates_all_the_time_gives_typed_errors_only() {
    let _watchdog = watchdog(PATIENCE);
    let mut named = Named::new(Backing::Posix);
    named.options.size_bytes(SIZE);
    let region = named.options.create(&named.name).expect("new");
    let child = named
        .role("truncate", Backing::Posix)
        .argument(named.path().display())
        .spawn();
    let (mut good, mut bad) = (0, 0);
    let mut copy = [0; SIZE];
    while good < 500 || bad < 500 {
        for outcome in [region.read_at(0, &mut copy), region.write_at(0, &copy)] {
            match outcome {
                Ok(()) => good += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                    bad += 1;
                }
            }
        }
    }
    drop(child);
    // What it has become is no region any more, and goes as a file.
    std::fs::remove_file(named.path()).expect("there");
}

pub(crate) fn scribble(mut stage: Stage) {
    let fd = stage.descriptor();
    let mut numbers = Numbers(0xbad);
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        let (value, at) = (numbers.next(), numbers.next() % (TOTAL as u64 - 8));
        let _ = rustix::io::pwrite(&fd, &value.to_ne_bytes(), at);
        if value % 64 == 0 {
            let _ = rustix::fs::fallocate(&fd, punch, at & !4095, 4096);
        }
        let _ = rustix::fs::ftruncate(&fd, at);
    }
}

#[test]
fn a_peer_that_scribbles_and_punches_changes_bytes_and_nothing_else() {
    let _watchdog = watchdog(PATIENCE);
    let region = ipc_shm::anonymous(SIZE).expect("made");
    let child = Role::new("scribble")
        .descriptor(region.as_fd().expect("memory"))
        .spawn();
    let mut copy = [0; SIZE];
    let (mut attached, mut refused, mut values) = (0, 0, 0);
    let mut scribbled = false;
    for round in 0.. {
        region
            .read_at(0, &mut copy)
            .expect("the bytes cannot go away");
        scribbled |= copy.iter().any(|byte| *byte != 0);
        region.write_at(round % SIZE, &[0]).expect("nor can these");
        match region.read::<bool>(round % SIZE) {
            Ok(_) => values += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        }
        match Region::from_fd(region.to_fd().expect("a copy")) {
            Ok(_) => attached += 1,
            Err(error) => {
                let kinds = [ErrorKind::Corrupt, ErrorKind::Denied];
                assert!(kinds.contains(&error.kind()), "{error}");
                refused += 1;
            }
        }
        if round > 5000 && scribbled && refused > 0 {
            break;
        }
    }
    assert!(attached + refused > 5000 && values > 0);
    drop(child);
}
