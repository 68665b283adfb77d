//! Who the kernel says is there: at connect, with each message, and what cannot be forged.

use ipc_core::Until;
use ipc_testkit::{Role, TempDir, isolated, skip, watchdog};
use ipc_uds::{Ancillary, Credentials, ErrorKind, Options, Policy};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, UCred};
use rustix::process::{Gid, Pid, Uid};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

fn me() -> Credentials {
    Credentials {
        pid: std::process::id(),
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

/// Sends one byte with ids that the sender chooses, as another program may try.
fn forge(fd: BorrowedFd<'_>, ids: Credentials) -> rustix::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let pid = i32::try_from(ids.pid).ok().and_then(Pid::from_raw);
    control.push(SendAncillaryMessage::ScmCredentials(UCred {
        pid: pid.expect("a pid"),
        uid: Uid::from_raw(ids.uid),
        gid: Gid::from_raw(ids.gid),
    }));
    let bytes = [IoSlice::new(b"x")];
    rustix::net::sendmsg(fd, &bytes, &mut control, SendFlags::NOSIGNAL)
}

#[test]
fn both_sides_of_a_connection_see_who_is_there() {
    let dir = TempDir::new();
    let listener = ipc_uds::bind(dir.join("socket")).expect("bind");
    let client = ipc_uds::connect(dir.join("socket")).expect("connect");
    let server = listener.accept().expect("accept");
    assert_eq!(client.credentials().expect("ids"), me());
    assert_eq!(server.credentials().expect("ids"), me());
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    assert_eq!(left.credentials().expect("ids"), me());
    assert_eq!(right.credentials().expect("ids"), me());
}

#[test]
fn a_peers_process_is_held_beyond_its_death() {
    if !ipc_uds::probe().peer_process {
        skip!("this kernel has no SO_PEERPIDFD (Linux 6.5)");
    }
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = ipc_uds::bind(&path).expect("bind");
    let child = Role::new("frame echo").argument(path.display()).spawn();
    let stream = listener.accept().expect("accept");
    let process = stream.peer_process().expect("it lives");
    assert!(!process.has_ended().expect("asked"));
    assert_eq!(stream.credentials().expect("ids").pid, child.id());
    child.kill();
    assert!(process.ended_within(Until::Forever).expect("asked"));
    child.wait();
    assert!(process.has_ended().expect("reaped or not"));
}

#[test]
fn each_message_brings_its_senders_ids_and_process_where_asked() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let has_pidfd = ipc_uds::probe().message_process;
        let mut options = Options::new();
        options.credentials(true).pidfd(has_pidfd).max_fds(2);
        let mut gifts = Ancillary::new();
        let null = std::fs::File::open("/dev/null").expect("a device");
        let check = |gifts: &Ancillary, fds| {
            assert_eq!(gifts.credentials(), Some(me()));
            assert_eq!(gifts.process().is_some(), has_pidfd);
            if let Some(process) = gifts.process() {
                assert!(!process.has_ended().expect("it is us"));
            }
            assert_eq!(gifts.fds().len(), fds);
        };
        for count in 0..=2 {
            let fds = vec![null.as_fd(); count];
            let (left, right) = options.pair().expect("a pair");
            left.send_with_fds(b"x", &fds).expect("send");
            right.recv_with_fds(&mut [0; 1], &mut gifts).expect("recv");
            check(&gifts, count);
            let (left, right) = options.pair_seqpacket().expect("a pair");
            left.send_with_fds(b"x", &fds).expect("send");
            right.recv_with_fds(&mut [0; 1], &mut gifts).expect("recv");
            check(&gifts, count);
            let (left, right) = options.pair_datagram().expect("a pair");
            left.send_with_fds(b"", &fds).expect("send");
            right.recv_with_fds(&mut [0; 1], &mut gifts).expect("recv");
            check(&gifts, count);
            assert_eq!(gifts.take_process().is_some(), has_pidfd);
            assert!(gifts.process().is_none());
        }
        // A plain receive leaves no pidfd behind.
        let (left, right) = options.pair().expect("a pair");
        let before = ipc_testkit::Snapshot::take();
        for _ in 0..100 {
            left.send(b"x").expect("send");
            right.recv(&mut [0; 1]).expect("recv");
        }
        before.assert_unchanged();
        // Where nobody asks, nothing is there.
        let (left, right) = ipc_uds::pair().expect("a pair");
        left.send(b"x").expect("send");
        right.recv_with_fds(&mut [0; 1], &mut gifts).expect("recv");
        assert!(gifts.credentials().is_none() && gifts.process().is_none());
    });
}

#[test]
fn an_accepted_connection_brings_ids_from_its_very_first_message() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().credentials(true).bind(&path).expect("bind");
    let client = ipc_uds::connect(&path).expect("connect");
    client.send(b"x").expect("before it is accepted");
    let server = listener.accept().expect("accept");
    let mut gifts = Ancillary::new();
    server
        .recv_with_fds(&mut [0; 1], &mut gifts)
        .expect("received");
    assert_eq!(gifts.credentials(), Some(me()));
}

#[test]
fn an_empty_seqpacket_message_is_told_from_the_end_by_its_ids() {
    let options = Options::new().credentials(true).clone();
    let (left, right) = options.pair_seqpacket().expect("a pair");
    // We refuse to send one; other programs may.
    let error = left.send(b"").expect_err("it would look like the end");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    rustix::net::send(&left, b"", SendFlags::empty()).expect("the kernel takes it");
    rustix::net::send(&left, b"", SendFlags::empty()).expect("the kernel takes it");
    assert_eq!(right.recv(&mut [0; 1]).expect("the peer is there"), 0);
    drop(left);
    let mut gifts = Ancillary::new();
    let length = right.recv_with_fds(&mut [0; 1], &mut gifts);
    assert_eq!(length.expect("it has ids"), 0);
    let end = right
        .recv_with_fds(&mut [0; 1], &mut gifts)
        .expect_err("the end has none");
    assert_eq!(end.kind(), ErrorKind::Closed);
}

#[test]
fn forged_ids_are_refused_by_the_kernel_but_of_root() {
    let (left, right) = Options::new()
        .credentials(true)
        .pair_datagram()
        .expect("a pair");
    let parent = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get()) as u32;
    let lie = Credentials {
        pid: parent,
        ..me()
    };
    let outcome = forge(left.as_fd(), lie);
    let mut gifts = Ancillary::new();
    if rustix::process::geteuid().is_root() {
        // Root may speak for others; the kernel reports what root said.
        outcome.expect("root may");
        right.recv_with_fds(&mut [0; 1], &mut gifts).expect("recv");
        assert_eq!(gifts.credentials(), Some(lie));
    } else {
        assert_eq!(outcome, Err(rustix::io::Errno::PERM));
    }
    // The ids of the connection cannot be forged by anyone.
    forge(left.as_fd(), me()).expect("the truth is allowed");
    right.recv_with_fds(&mut [0; 1], &mut gifts).expect("recv");
    assert_eq!(gifts.credentials(), Some(me()));
}

#[test]
fn nobody_without_root_speaks_for_another() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to become another user, who then tries");
    }
    isolated!({
        let (left, right) = Options::new()
            .credentials(true)
            .pair_datagram()
            .expect("a pair");
        rustix::thread::set_thread_res_gid(
            Gid::from_raw(12_345),
            Gid::from_raw(12_345),
            Gid::from_raw(12_345),
        )
        .expect("root may");
        rustix::thread::set_thread_res_uid(
            Uid::from_raw(12_345),
            Uid::from_raw(12_345),
            Uid::from_raw(12_345),
        )
        .expect("root may");
        let stranger = Credentials {
            pid: std::process::id(),
            uid: 12_345,
            gid: 12_345,
        };
        for lie in [
            Credentials { pid: 1, ..stranger },
            Credentials { uid: 0, ..stranger },
            Credentials { gid: 0, ..stranger },
        ] {
            let outcome = forge(left.as_fd(), lie);
            assert_eq!(outcome, Err(rustix::io::Errno::PERM), "{lie:?}");
        }
        forge(left.as_fd(), stranger).expect("the truth is allowed");
        let mut gifts = Ancillary::new();
        right.recv_with_fds(&mut [0; 1], &mut gifts).expect("recv");
        assert_eq!(gifts.credentials(), Some(stranger));
    });
}

#[test]
fn datagrams_of_refused_senders_are_dropped_and_counted_with_what_they_bring() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        let count = std::sync::atomic::AtomicU32::new(0);
        let receiver = Options::new()
            .policy(Policy::custom(move |peer| {
                assert!(peer.process().is_err(), "only a connection has it");
                let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                peer.credentials() == me() && count % 3 == 2
            }))
            .max_fds(1)
            .bind_datagram(&path)
            .expect("bind");
        let sender = ipc_uds::connect_datagram(&path).expect("connect");
        let null = std::fs::File::open("/dev/null").expect("a device");
        let before = ipc_testkit::Snapshot::take();
        let send_three = |fds: usize| {
            for number in 0..3u8 {
                // The refused ones bring more than is taken, which then harms nobody.
                let fds = if number == 2 { 1 } else { fds };
                let fds = vec![null.as_fd(); fds];
                sender.send_with_fds(&[number], &fds).expect("send");
            }
        };
        let mut byte = [0; 1];
        send_three(0);
        assert_eq!(receiver.recv(&mut byte).expect("the third"), 1);
        assert_eq!((byte, receiver.refused()), ([2], 2));
        send_three(200);
        receiver.recv_from(&mut byte).expect("the third");
        assert_eq!((byte, receiver.refused()), ([2], 4));
        let mut gifts = Ancillary::new();
        send_three(200);
        receiver
            .recv_with_fds(&mut byte, &mut gifts)
            .expect("the third");
        assert_eq!((byte, receiver.refused()), ([2], 6));
        assert_eq!(gifts.fds().len(), 1);
        gifts.clear();
        before.assert_unchanged();
        let none = receiver.try_recv(&mut byte).expect_err("none is left");
        assert_eq!(none.kind(), ErrorKind::WouldBlock);
    });
}
