//! Descriptors of every kind: each crosses as what it is, is told for what it is, and stays with
//! its own message.

use ipc_testkit::{TempDir, isolated, skip, watchdog};
use ipc_uds::DescriptorKind as Kind;
use ipc_uds::{Ancillary, ErrorKind, Options, descriptor_kind};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// How many inputs `descriptors_of_every_kind_cross_and_are_the_same_object` has.
pub(crate) const KINDS: usize = 3 * 17;

fn open(path: &str, flags: OFlags) -> OwnedFd {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).expect(path)
}

/// A memfd with `seals`; `None` where it cannot be sealed at all.
fn memory(seals: Option<SealFlags>) -> OwnedFd {
    let mut flags = MemfdFlags::CLOEXEC;
    flags.set(MemfdFlags::ALLOW_SEALING, seals.is_some());
    let fd = rustix::fs::memfd_create("gift", flags).expect("memory");
    rustix::fs::ftruncate(&fd, 4096).expect("a page");
    if let Some(seals) = seals {
        rustix::fs::fcntl_add_seals(&fd, seals).expect("sealed");
    }
    fd
}

/// A terminal without anybody at its other side: reading from it waits for ever.
fn terminal() -> OwnedFd {
    open("/dev/ptmx", OFlags::RDWR | OFlags::NOCTTY)
}

/// All that a hostile client may hand over, with what the receiver must find it to be.
fn gifts(own: BorrowedFd<'_>, peer: BorrowedFd<'_>) -> Vec<(OwnedFd, Kind)> {
    let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().expect("a copy");
    let me = ipc_uds::Process::open(std::process::id()).expect("this process");
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    let wrong = SealFlags::SHRINK;
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    vec![
        (open("/", OFlags::PATH), Kind::Reference),
        (open("/etc/passwd", OFlags::PATH), Kind::Reference),
        (open("/proc/self/status", OFlags::RDONLY), Kind::RegularFile),
        (
            open("/tmp", OFlags::RDONLY | OFlags::DIRECTORY),
            Kind::Directory,
        ),
        (open("/dev/zero", OFlags::RDWR), Kind::CharacterDevice),
        (open("/dev/null", OFlags::WRONLY), Kind::CharacterDevice),
        (terminal(), Kind::CharacterDevice),
        (read, Kind::Pipe),
        (write, Kind::Pipe),
        (copy(own), Kind::Socket),
        (copy(peer), Kind::Socket),
        (copy(me.as_fd()), Kind::Anonymous),
        (
            rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("a counter"),
            Kind::Anonymous,
        ),
        (memory(None), Kind::Memory(SealFlags::SEAL)),
        (
            memory(Some(SealFlags::empty())),
            Kind::Memory(SealFlags::empty()),
        ),
        (memory(Some(wrong)), Kind::Memory(wrong)),
        (memory(Some(all)), Kind::Memory(all)),
    ]
}

macro_rules! exchange {
    ($make:ident, $kind:literal, $inputs:ident) => {{
        let (left, right) = Options::new().max_fds(32).$make().expect("a pair");
        let sent = gifts(right.as_fd(), left.as_fd());
        let borrowed: Vec<_> = sent.iter().map(|(fd, _)| fd.as_fd()).collect();
        left.send_with_fds(b"x", &borrowed).expect($kind);
        let mut came = Ancillary::new();
        right.recv_with_fds(&mut [0; 1], &mut came).expect($kind);
        assert_eq!(came.fds().len(), sent.len());
        for ((fd, kind), (same, found)) in sent.iter().zip(came.fds().iter().zip(came.kinds())) {
            let inode = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino));
            assert_eq!(inode(fd).expect("stat"), inode(same).expect("stat"));
            assert_eq!(found.expect("asked"), *kind, "{}", $kind);
            $inputs += 1;
        }
    }};
}

#[test]
fn descriptors_of_every_kind_cross_and_are_the_same_object() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let mut inputs = 0;
        exchange!(pair, "stream", inputs);
        exchange!(pair_seqpacket, "seqpacket", inputs);
        exchange!(pair_datagram, "datagram", inputs);
        assert_eq!(inputs, KINDS);
    });
}

#[test]
fn memory_whose_seals_are_wrong_can_still_be_cut_and_is_told() {
    isolated!({
        let (left, right) = ipc_uds::pair().expect("a pair");
        let page = memory(Some(SealFlags::GROW));
        left.send_with_fds(b"x", &[page.as_fd()]).expect("send");
        let mut came = Ancillary::new();
        right.recv_with_fds(&mut [0; 1], &mut came).expect("recv");
        let Kind::Memory(seals) = descriptor_kind(&came.fds()[0]).expect("asked") else {
            panic!("it is memory");
        };
        assert!(
            !seals.contains(SealFlags::SHRINK),
            "it may be cut, and this says so"
        );
        rustix::fs::ftruncate(&page, 0).expect("its owner may");
        // What reads it as a file finds its end, and no signal.
        assert_eq!(rustix::io::pread(&came.fds()[0], &mut [0u8; 8], 0), Ok(0));
    });
}

#[test]
fn receiving_and_asking_a_descriptor_that_blocks_does_not_block() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        // A stand-in for a file of a FUSE server that never answers: to read a terminal without
        // anybody, or an empty pipe, waits for ever too.
        let (silent, _open) = rustix::pipe::pipe().expect("a pipe");
        let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
        for stuck in [terminal(), silent] {
            left.send_with_fds(b"x", &[stuck.as_fd()]).expect("send");
            let mut came = Ancillary::new();
            right.recv_with_fds(&mut [0; 1], &mut came).expect("recv");
            let kind = came.kinds().next().expect("one").expect("asked");
            assert!(
                matches!(kind, Kind::CharacterDevice | Kind::Pipe),
                "{kind:?}"
            );
            came.clear();
        }
    });
}

#[test]
fn a_file_whose_server_never_answers_can_be_received_and_asked() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to mount a FUSE file system");
    }
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let place = dir.join("silent");
        std::fs::write(&place, "").expect("a file to mount over");
        let silent = match super::fuse::mount_silent(&place) {
            Ok(silent) => silent,
            Err(cause) => {
                let here = "fd_kinds::a_file_whose_server_never_answers_can_be_received_and_asked";
                let cause = format!("a FUSE file system cannot be mounted here: {cause}");
                return ipc_testkit::report_skip(here, &cause);
            }
        };
        let (left, right) = ipc_uds::pair().expect("a pair");
        left.send_with_fds(b"x", &[silent.file.as_fd()])
            .expect("send");
        let mut came = Ancillary::new();
        right.recv_with_fds(&mut [0; 1], &mut came).expect("recv");
        let kind = came
            .kinds()
            .next()
            .expect("one")
            .expect("asked, and no wait");
        assert_eq!(kind, Kind::RegularFile);
        came.clear();
        silent.unmount(&place);
    });
}

#[test]
fn a_closed_descriptor_is_refused_by_the_kernel_and_nothing_goes_out() {
    isolated!({
        let (left, right) = ipc_uds::pair().expect("a pair");
        let (packets, other) = ipc_uds::pair_seqpacket().expect("a pair");
        let (datagrams, third) = ipc_uds::pair_datagram().expect("a pair");
        let (closed, good) = (ipc_testkit::closed_descriptor(), left.as_fd());
        for outcome in [
            left.send_with_fds(b"x", &[closed]),
            left.send_with_fds(b"x", &[good, closed, good]),
            packets.send_with_fds(b"x", &[closed]),
            datagrams.send_with_fds(b"x", &[good, closed]),
        ] {
            let error = outcome.expect_err("a closed descriptor");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.raw_os_error(), Some(Errno::BADF.raw_os_error()));
        }
        let mut gifts = Ancillary::new();
        for outcome in [
            right.try_recv_with_fds(&mut [0; 1], &mut gifts),
            other.try_recv_with_fds(&mut [0; 1], &mut gifts),
            third.try_recv_with_fds(&mut [0; 1], &mut gifts),
        ] {
            let error = outcome.expect_err("nothing went out");
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    });
}

/// How many inputs `descriptors_stay_with_their_own_message` has.
pub(crate) const MIXED: usize = 2 * 200;

#[test]
fn descriptors_stay_with_their_own_message() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = open("/dev/null", OFlags::RDONLY);
        let mut inputs = 0;
        // Messages with and without descriptors in every order: the number that a message says it
        // has is the number it brings, also where the one before was received without them.
        let (left, right) = Options::new().pair_datagram().expect("a pair");
        let (packets, others) = Options::new().pair_seqpacket().expect("a pair");
        let mut gifts = Ancillary::new();
        for round in 0..200u32 {
            let counts = [round % 3, (round / 3) % 5, (round / 15) % 14].map(|count| count as u8);
            for count in counts {
                let fds = vec![null.as_fd(); usize::from(count)];
                left.send_with_fds(&[count], &fds).expect("send");
                packets.send_with_fds(&[count], &fds).expect("send");
            }
            let mut byte = [9; 1];
            for at in 0..3u32 {
                if (round + at) % 4 == 0 {
                    right.recv(&mut byte).expect("recv");
                    others.recv(&mut byte).expect("recv");
                    continue;
                }
                right.recv_with_fds(&mut byte, &mut gifts).expect("recv");
                assert_eq!(gifts.fds().len(), usize::from(byte[0]));
                others.recv_with_fds(&mut byte, &mut gifts).expect("recv");
                assert_eq!(gifts.fds().len(), usize::from(byte[0]));
            }
            gifts.clear();
            inputs += 2;
        }
        assert_eq!(inputs, MIXED);
    });
}
