//! Descriptors with messages: how many, which, and that none is lost or leaked.

use ipc_testkit::{isolated, watchdog, without_stdio};
use ipc_uds::{Ancillary, ErrorKind, MAX_FDS, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
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

/// A connection that brought too much is cut, both ways; a datagram socket works on.
macro_rules! assert_cut {
    ($left:expr, $right:expr, $kind:expr) => {{
        let mut byte = [0; 1];
        if $kind == "datagram" {
            $left.send(b"y").expect("it works on");
            assert_eq!($right.recv(&mut byte).expect("it works on"), 1);
        } else {
            for end in [&$left, &$right] {
                let error = end.send(b"y").expect_err("cut");
                assert_eq!(error.kind(), ErrorKind::Closed, "{}", $kind);
                let error = end.recv(&mut byte).expect_err("cut");
                assert_eq!(error.kind(), ErrorKind::Closed, "{}", $kind);
            }
        }
    }};
}

/// How many inputs `every_number_of_descriptors_up_to_the_kernels_arrives` has.
pub(crate) const COUNTS: usize = 3 * (MAX_FDS + 1);

fn copies<'a>(file: &'a File, count: usize) -> Vec<BorrowedFd<'a>> {
    vec![file.as_fd(); count]
}

#[test]
fn every_number_of_descriptors_up_to_the_kernels_arrives() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        let all = Options::new().max_fds(MAX_FDS).clone();
        let mut inputs = 0;
        for_each_kind!(&all, |left, right, kind| {
            let mut gifts = Ancillary::new();
            for count in 0..=MAX_FDS {
                left.send_with_fds(b"x", &copies(&null, count))
                    .expect("send");
                let length = right.recv_with_fds(&mut [0; 4], &mut gifts).expect("recv");
                assert_eq!((length, gifts.fds().len()), (1, count), "{kind}");
                inputs += 1;
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
        assert_eq!(inputs, COUNTS);
    });
}

#[test]
fn more_descriptors_than_are_taken_are_all_closed_and_an_error() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let null = File::open("/dev/null").expect("a device");
        for max in [0, 1, 2, 3, 16, 252] {
            for count in [max + 1, max + 2, MAX_FDS].map(|count| count.min(MAX_FDS)) {
                for_each_kind!(Options::new().max_fds(max), |left, right, kind| {
                    let mut gifts = Ancillary::new();
                    left.send_with_fds(b"y", &copies(&null, max)).expect("send");
                    right
                        .recv_with_fds(&mut [0; 4], &mut gifts)
                        .expect("as many");
                    assert_eq!(gifts.fds().len(), max);
                    gifts.clear();
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
                    assert_cut!(left, right, kind);
                });
            }
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

/// How many inputs `wherever_reads_split_a_send_its_descriptors_come_with_its_first_byte` has.
pub(crate) const SPLITS: usize = 24 * 25 / 2;

#[test]
fn wherever_reads_split_a_send_its_descriptors_come_with_its_first_byte() {
    let _watchdog = watchdog(PATIENCE);
    let null = File::open("/dev/null").expect("a device");
    let (left, right) = ipc_uds::pair().expect("a pair");
    let mut gifts = Ancillary::new();
    let mut inputs = 0;
    for length in 1..=24usize {
        for step in 1..=length {
            let count = 1 + (length + step) % 16;
            left.send_with_fds(&vec![7; length], &copies(&null, count))
                .expect("send");
            let (mut read, mut buffer) = (0, vec![0; step]);
            while read < length {
                let came = right.recv_with_fds(&mut buffer, &mut gifts).expect("recv");
                let expected = if read == 0 { count } else { 0 };
                assert_eq!(gifts.fds().len(), expected, "{read} of {length}, by {step}");
                read += came;
            }
            assert_eq!(read, length);
            inputs += 1;
        }
    }
    assert_eq!(inputs, SPLITS);
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
        for free in 0..4usize {
            for_each_kind!(Options::new().max_fds(MAX_FDS), |left, right, kind| {
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
                assert_cut!(left, right, kind);
            });
        }
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
