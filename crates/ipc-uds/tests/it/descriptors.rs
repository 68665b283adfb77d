//! Descriptors with messages: how many, which, and that none is lost or leaked.

use ipc_testkit::{TempDir, isolated, watchdog, without_stdio};
use ipc_uds::{Ancillary, ErrorKind, MAX_FDS, Options};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// The same three verbs for all kinds of sockets.
macro_rules! for_each_kind {
    ($options:expr, |$left:ident, $right:ident, $kind:ident| $body:block) => {{
        let options: Options = $options.clone();
        {
            let ($left, $right) = options.pair().expect("a pair");
            let $kind = "stream";
            $body
        }
        {
            let ($left, $right) = options.pair_seqpacket().expect("a pair");
            let $kind = "seqpacket";
            $body
        }
        {
            let ($left, $right) = options.pair_datagram().expect("a pair");
            let $kind = "datagram";
            $body
        }
    }};
}

fn copies<'a>(file: &'a File, count: usize) -> Vec<BorrowedFd<'a>> {
    vec![file.as_fd(); count]
}

#[test]
fn every_number_of_descriptors_up_to_the_kernels_arrives() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        let all = Options::new().max_fds(MAX_FDS).clone();
        for_each_kind!(&all, |left, right, kind| {
            let mut gifts = Ancillary::new();
            for count in 0..=MAX_FDS {
                left.send_with_fds(b"x", &copies(&null, count))
                    .expect("send");
                let length = right.recv_with_fds(&mut [0; 4], &mut gifts).expect("recv");
                assert_eq!((length, gifts.fds().len()), (1, count), "{kind}");
                for fd in gifts.fds() {
                    assert!(fd.as_raw_fd() > 2);
                    let flags = rustix::io::fcntl_getfd(fd).expect("open");
                    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
                }
            }
            let error = left
                .send_with_fds(b"x", &copies(&null, MAX_FDS + 1))
                .expect_err("one too many");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            assert!(error.to_string().contains("253"), "{error}");
        });
    });
}

#[test]
fn more_descriptors_than_are_taken_are_all_closed_and_an_error() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        for max in [0, 1, 2, 3, 16, 252] {
            for_each_kind!(Options::new().max_fds(max), |left, right, kind| {
                let mut gifts = Ancillary::new();
                for count in [max + 1, max + 2, MAX_FDS].map(|count| count.min(MAX_FDS)) {
                    let before = ipc_testkit::Snapshot::take();
                    left.send_with_fds(b"x", &copies(&null, count))
                        .expect("send");
                    let error = right
                        .recv_with_fds(&mut [0; 4], &mut gifts)
                        .expect_err("too many");
                    assert_eq!(error.kind(), ErrorKind::Truncated, "{kind} {count}/{max}");
                    assert!(error.to_string().contains("max_fds"), "{error}");
                    assert!(gifts.fds().is_empty());
                    before.assert_unchanged();
                    // The socket works on.
                    left.send_with_fds(b"y", &copies(&null, max)).expect("send");
                    right
                        .recv_with_fds(&mut [0; 4], &mut gifts)
                        .expect("as many");
                    assert_eq!(gifts.fds().len(), max);
                    gifts.clear();
                }
            });
        }
    });
}

#[test]
fn a_plain_receive_installs_no_descriptor() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        for_each_kind!(Options::new(), |left, right, _kind| {
            let before = ipc_testkit::Snapshot::take();
            for _ in 0..100 {
                left.send_with_fds(b"x", &copies(&null, MAX_FDS))
                    .expect("send");
                assert_eq!(right.recv(&mut [0; 4]).expect("recv"), 1);
            }
            before.assert_unchanged();
        });
    });
}

#[test]
fn descriptors_without_a_byte_are_refused_where_the_kernel_drops_them() {
    let null = File::open("/dev/null").expect("a device");
    let (left, right) = ipc_uds::pair().expect("a pair");
    let error = left
        .send_with_fds(b"", &copies(&null, 1))
        .expect_err("no byte");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = right
        .recv_with_fds(&mut [], &mut Ancillary::new())
        .expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let (left, right) = ipc_uds::pair_datagram().expect("a pair");
    left.send_with_fds(b"", &copies(&null, 3))
        .expect("a datagram may be empty");
    let mut gifts = Ancillary::new();
    assert_eq!(right.recv_with_fds(&mut [], &mut gifts).expect("recv"), 0);
    assert_eq!(gifts.fds().len(), 3);
}

#[test]
fn descriptors_come_with_the_first_byte_of_their_send_and_never_with_anothers() {
    let _watchdog = watchdog(PATIENCE);
    let null = File::open("/dev/null").expect("a device");
    let (left, right) = ipc_uds::pair().expect("a pair");
    left.send(b"plain").expect("send");
    left.send_with_fds(b"one", &copies(&null, 1)).expect("send");
    left.send_with_fds(b"two", &copies(&null, 2)).expect("send");
    left.send(b"last").expect("send");
    let mut gifts = Ancillary::new();
    let mut text = Vec::new();
    let mut where_they_came = Vec::new();
    while text.len() < 15 {
        let mut bytes = [0; 64];
        let length = right
            .recv_with_fds(&mut bytes, &mut gifts)
            .expect("more to come");
        if !gifts.fds().is_empty() {
            where_they_came.push((gifts.fds().len(), text.len() + length));
        }
        text.extend_from_slice(&bytes[..length]);
    }
    assert_eq!(text, b"plainonetwolast");
    let counts: Vec<_> = where_they_came.iter().map(|(count, _)| *count).collect();
    assert_eq!(counts, [1, 2]);
    // Split from its descriptors, the rest of a message brings none.
    left.send_with_fds(b"abc", &copies(&null, 1)).expect("send");
    let take = |gifts: &mut Ancillary| right.recv_with_fds(&mut [0; 1], gifts).expect("a byte");
    assert_eq!((take(&mut gifts), gifts.fds().len()), (1, 1));
    assert_eq!((take(&mut gifts), gifts.fds().len()), (1, 0));
}

#[test]
fn descriptors_of_every_kind_cross_and_are_the_same_object() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        for_each_kind!(Options::new(), |left, right, kind| {
            let own = |file: &str, flags| {
                rustix::fs::open(file, flags | OFlags::CLOEXEC, Mode::empty()).expect(file)
            };
            let me = ipc_uds::Process::open(std::process::id()).expect("this process");
            let things: Vec<OwnedFd> = vec![
                own("/", OFlags::PATH),
                own("/etc/passwd", OFlags::PATH | OFlags::NOFOLLOW),
                own("/tmp", OFlags::RDONLY | OFlags::DIRECTORY),
                own("/dev/zero", OFlags::RDWR),
                rustix::pipe::pipe().expect("a pipe").0,
                right.as_fd().try_clone_to_owned().expect("itself"),
                left.as_fd().try_clone_to_owned().expect("its peer"),
                me.as_fd().try_clone_to_owned().expect("a pidfd"),
            ];
            let borrowed: Vec<_> = things.iter().map(AsFd::as_fd).collect();
            left.send_with_fds(b"x", &borrowed).expect(kind);
            let mut gifts = Ancillary::new();
            right.recv_with_fds(&mut [0; 1], &mut gifts).expect(kind);
            assert_eq!(gifts.fds().len(), things.len());
            for (sent, came) in things.iter().zip(gifts.fds()) {
                let inode = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino));
                assert_eq!(inode(sent).expect("stat"), inode(came).expect("stat"));
            }
        });
    });
}

#[test]
fn descriptors_that_are_never_received_are_closed_with_the_socket() {
    isolated!({
        for_each_kind!(Options::new(), |left, right, _kind| {
            let (read, write) = rustix::pipe::pipe().expect("a pipe");
            left.send_with_fds(b"x", &[write.as_fd()]).expect("send");
            drop(write);
            drop((left, right));
            assert_eq!(rustix::io::read(&read, &mut [0u8; 1]), Ok(0), "it ended");
        });
    });
}

#[test]
fn a_full_descriptor_table_in_the_middle_is_truncation_with_the_limit_named() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let limits = getrlimit(Resource::Nofile);
        let null = File::open("/dev/null").expect("a device");
        let low = Rlimit {
            current: Some(64),
            maximum: limits.maximum,
        };
        for_each_kind!(Options::new().max_fds(MAX_FDS), |left, right, kind| {
            for free in 0..4usize {
                let mut gifts = Ancillary::new();
                left.send_with_fds(b"x", &copies(&null, 8)).expect("send");
                setrlimit(Resource::Nofile, low).expect("lower is allowed");
                let mut fillers = Vec::new();
                while let Ok(filler) = File::open("/dev/null") {
                    fillers.push(filler);
                }
                fillers.truncate(fillers.len() - free);
                let outcome = right.recv_with_fds(&mut [0; 1], &mut gifts);
                let reopened = (0..free)
                    .map(|_| File::open("/dev/null"))
                    .collect::<Vec<_>>();
                setrlimit(Resource::Nofile, limits).expect("back");
                let error = outcome.expect_err("no room");
                assert_eq!(error.kind(), ErrorKind::Truncated, "{kind}");
                assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
                assert!(reopened.iter().all(Result::is_ok), "some leaked");
            }
        });
    });
}

#[test]
fn received_descriptors_are_above_stdio_even_where_stdio_is_closed() {
    isolated!({
        let numbers = without_stdio(|| {
            let (left, right) = ipc_uds::pair().expect("a pair");
            let (read, _write) = rustix::pipe::pipe().expect("a pipe");
            left.send_with_fds(b"x", &[read.as_fd(), read.as_fd()])
                .expect("send");
            drop(read);
            let mut gifts = Ancillary::new();
            right
                .recv_with_fds(&mut [0; 1], &mut gifts)
                .expect("received");
            let numbers: Vec<_> = gifts.fds().iter().map(AsRawFd::as_raw_fd).collect();
            numbers
        });
        assert_eq!(numbers.len(), 2);
        assert!(numbers.iter().all(|number| *number > 2), "{numbers:?}");
    });
}

#[test]
fn nothing_is_allocated_for_a_message_with_descriptors() {
    let null = File::open("/dev/null").expect("a device");
    for_each_kind!(Options::new(), |left, right, kind| {
        let fds = [null.as_fd(); 4];
        let mut gifts = Ancillary::new();
        let mut round = || {
            left.send_with_fds(b"x", &fds).expect("send");
            right
                .recv_with_fds(&mut [0; 1], &mut gifts)
                .expect("received");
            assert_eq!(gifts.fds().len(), 4);
        };
        round();
        let allocated = ipc_testkit::allocations(|| (0..100).for_each(|_| round()));
        assert_eq!(allocated, 0, "{kind}");
    });
}

#[test]
fn one_user_cannot_hold_more_descriptors_than_its_share_over_many_connections() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        let directory = TempDir::new();
        let mut options = Options::new();
        options.max_fds(16).max_fds_per_user(64);
        let path = directory.join("flood");
        let listener = options.bind(&path).expect("bind");
        let connect = || {
            let client = ipc_uds::connect(&path).expect("connect");
            let server = listener.accept().expect("accept");
            (client, server, Ancillary::new())
        };
        let mut held: Vec<_> = (0..4).map(|_| connect()).collect();
        for (client, server, gifts) in &mut held {
            client
                .send_with_fds(b"x", &copies(&null, 16))
                .expect("send");
            server.recv_with_fds(&mut [0; 4], gifts).expect("a share");
        }
        let (client, server, mut gifts) = connect();
        let before = ipc_testkit::Snapshot::take();
        client.send_with_fds(b"x", &copies(&null, 1)).expect("send");
        let error = server
            .recv_with_fds(&mut [0; 4], &mut gifts)
            .expect_err("the 65th");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.to_string().contains("max_fds_per_user"), "{error}");
        assert!(gifts.fds().is_empty());
        before.assert_unchanged();
        // What is taken counts no more: by name, by an end, or by the next receive.
        let taken: Vec<_> = held[0].2.take_fds().collect();
        drop(held.pop());
        client
            .send_with_fds(b"x", &copies(&null, 16))
            .expect("send");
        server
            .recv_with_fds(&mut [0; 4], &mut gifts)
            .expect("room again");
        for _ in 0..100 {
            client
                .send_with_fds(b"x", &copies(&null, 16))
                .expect("send");
            server
                .recv_with_fds(&mut [0; 4], &mut gifts)
                .expect("in place of the last");
        }
        assert_eq!((taken.len(), gifts.fds().len()), (16, 16));
    });
}
