//! Peers that lie: about what they send to begin with, and in their memory afterwards.

use crate::liar::with_liar;
use ipc_ring::{Batch, Channel, ErrorKind, Options, Result};
use ipc_shm::{Protection, Region};
use ipc_testkit::watchdog;
use ipc_uds::{Ancillary, SeqPacket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const HELLO: &[u8; 12] = b"ipc-ring\x01\0\0\0";

/// What an honest side sends, taken from a real one.
struct Honest {
    _socket: SeqPacket,
    hello: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// Lets one real side say what it says, to a socket that we hold.
fn overhear(options: &Options) -> (Honest, std::thread::JoinHandle<Result<Channel>>) {
    let (theirs, socket) = ipc_uds::pair_seqpacket().expect("a pair");
    let options = options.clone();
    let real = std::thread::spawn(move || options.over(theirs));
    let (mut hello, mut ancillary) = ([0; 64], Ancillary::new());
    let len = socket
        .recv_with_fds(&mut hello, &mut ancillary)
        .expect("it begins");
    let honest = Honest {
        _socket: socket,
        hello: hello[..len].to_vec(),
        fds: ancillary.take_fds().collect(),
    };
    (honest, real)
}

/// What one side answers to a beginning.
fn answer_to(hello: &[u8], fds: &[OwnedFd]) -> Result<Channel> {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    theirs.send_with_fds(hello, &borrowed).expect("sent");
    Options::new().over(ours)
}

#[test]
fn a_beginning_that_is_not_a_channels_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let (honest, real) = overhear(&Options::new());
    assert_eq!(honest.hello, HELLO);
    let kind = |hello: &[u8], fds: &[OwnedFd]| match answer_to(hello, fds) {
        Ok(_) => panic!("{hello:?} is believed"),
        Err(error) => error.kind(),
    };
    let fds = &honest.fds;
    assert_eq!(kind(b"ipc-rinG\x01\0\0\0", fds), ErrorKind::Corrupt);
    assert_eq!(kind(b"ipc-ring\x01\0\0", fds), ErrorKind::Corrupt);
    assert_eq!(kind(b"ipc-ring\x02\0\0\0", fds), ErrorKind::Unsupported);
    assert_eq!(kind(HELLO, &fds[..3]), ErrorKind::Corrupt);
    assert_eq!(kind(HELLO, &[]), ErrorKind::Corrupt);
    // Memory in the wrong place, and what wakes in the place of memory.
    let copy = |at: usize| fds[at].try_clone().expect("a copy");
    let swapped = [copy(1), copy(0), copy(2), copy(3)];
    assert_eq!(kind(HELLO, &swapped), ErrorKind::Corrupt);
    let turned = [copy(2), copy(3), copy(0), copy(1)];
    assert_eq!(kind(HELLO, &turned), ErrorKind::Denied);
    let no_pipe = [copy(0), copy(1), copy(0), copy(3)];
    assert_eq!(kind(HELLO, &no_pipe), ErrorKind::Corrupt);
    drop(honest);
    let error = real.join().expect("no panic").expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn memory_that_could_be_cut_short_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let (honest, _real) = overhear(&Options::new());
    let mut fds = honest.fds;
    let file = std::fs::File::from(fds[0].try_clone().expect("a copy"));
    let len = file.metadata().expect("a size").len();
    let unsealed = rustix::fs::memfd_create("m", rustix::fs::MemfdFlags::ALLOW_SEALING);
    let unsealed = std::fs::File::from(unsealed.expect("a memfd"));
    unsealed.set_len(len).expect("sized");
    fds[0] = unsealed.into();
    let error = answer_to(HELLO, &fds).expect_err("it is not sealed");
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn memory_of_another_size_than_its_layout_has_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let (mut honest, _real) = overhear(&Options::new());
    let real = attached(&honest.fds[1]);
    for size in [8, 64, 120, 4096] {
        let mut other = ipc_shm::Options::new()
            .size_bytes(size)
            .layout(real.layout())
            .narrowable(true)
            .anonymous()
            .expect("memory");
        other.protect(Protection::ReadOnly).expect("sealed");
        honest.fds[1] = other.to_read_only_fd().expect("a descriptor");
        let error = answer_to(HELLO, &honest.fds).expect_err("it says less or more");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{size} bytes");
    }
}

fn attached(fd: &OwnedFd) -> Region {
    let copy = fd.try_clone().expect("a copy");
    let mut options = ipc_shm::Options::new();
    let memory = options.read_only(true).any_word(true).attach(copy);
    memory.expect("its memory")
}

#[test]
fn a_sender_of_larger_messages_than_are_accepted_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    let large = std::thread::spawn(|| Options::new().capacity_bytes(1 << 20).over(left));
    let mut careful = Options::new();
    let error = careful.max_receive_bytes(1 << 16).over(right);
    assert_eq!(error.expect_err("too large").kind(), ErrorKind::TooLarge);
    drop(large.join().expect("no panic"));
}

#[test]
fn who_says_nothing_is_left_in_time() {
    let _watchdog = watchdog(PATIENCE);
    let (ours, _theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let error = Options::new()
        .meet_timeout(Duration::from_millis(20))
        .over(ours);
    assert_eq!(error.expect_err("nobody").kind(), ErrorKind::TimedOut);
}

#[test]
fn whatever_stands_in_a_peers_memory_is_a_message_or_an_error() {
    let _watchdog = watchdog(PATIENCE);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut messages, mut errors) = (0, 0);
    for _ in 0..60 {
        let (channel, [sends, takes], _bell) = with_liar();
        let mut buffer = Vec::new();
        for _ in 0..500 {
            for (region, from) in [(&sends, 0), (&takes, 0)] {
                let words = (region.len_bytes() - from) / 8;
                let at = from + (random() as usize % words) * 8;
                // Numbers that are nearly right do more harm than noise.
                let value = match random() % 4 {
                    0 => random(),
                    1 => ((random() % 8) << 32) | (random() % 300),
                    2 => random() % 8,
                    _ => (1 << 32) | (random() % 64),
                };
                region.atomic_u64(at).expect("ours").store(value, Relaxed);
            }
            match channel.receiver().try_recv_vec(&mut buffer) {
                Ok(()) => {
                    assert!(buffer.len() <= channel.receiver().max_message_bytes());
                    messages += 1;
                }
                Err(error) => {
                    let kind = error.kind();
                    let known = [
                        ErrorKind::WouldBlock,
                        ErrorKind::Corrupt,
                        ErrorKind::Closed,
                        ErrorKind::PeerDied,
                    ];
                    assert!(known.contains(&kind), "{error}");
                    errors += 1;
                }
            }
            if let Err(error) = channel.sender().try_send(&[7; 70]) {
                let known = [
                    ErrorKind::WouldBlock,
                    ErrorKind::Corrupt,
                    ErrorKind::Closed,
                    ErrorKind::PeerDied,
                ];
                assert!(known.contains(&error.kind()), "{error}");
            }
        }
    }
    assert!(
        messages > 0 && errors > 0,
        "{messages} messages, {errors} errors"
    );
}

/// Commits message `number` of `len` bytes, as the liar whose memory `sends` is.
fn commit(sends: &Region, number: u64, len: u64) {
    let at = 128 + (number % 4) as usize * 128;
    let word = ((number + 1) << 32) | len;
    sends.atomic_u64(at).expect("ours").store(word, Release);
}

#[test]
fn a_batch_ends_though_its_sender_goes_on_over_what_was_not_taken() {
    let _watchdog = watchdog(PATIENCE);
    let mut batch = Batch::new();
    // One of them goes on about as fast as the receiver takes.
    for pause in (0..160).step_by(4) {
        let (channel, [sends, _takes], _bell) = with_liar();
        let most = std::thread::scope(|scope| {
            let liar = scope.spawn(|| {
                for number in 0..3_000 {
                    (0..pause).for_each(|_| std::hint::spin_loop());
                    commit(&sends, number, 0);
                }
            });
            let mut most = 0;
            while !liar.is_finished() {
                let count = channel.receiver().try_recv_batch(&mut batch, usize::MAX);
                most = most.max(count.unwrap_or(0));
            }
            most
        });
        assert!(most <= 4, "{most} messages of four slots");
    }
    // And no more bytes than there is room for.
    let (channel, [sends, _takes], _bell) = with_liar();
    (0..4).for_each(|number| commit(&sends, number, 256));
    let mut batch = Batch::new();
    let count = channel.receiver().try_recv_batch(&mut batch, usize::MAX);
    assert_eq!(count.expect("the first is right"), 1);
}

#[test]
fn a_stream_whose_message_shrinks_or_is_empty_is_corrupt() {
    let _watchdog = watchdog(PATIENCE);
    for len in [0, 1, 3] {
        let (channel, [sends, _takes], _bell) = with_liar();
        let stream = channel.stream();
        commit(&sends, 0, 100);
        assert_eq!(stream.try_recv(&mut [0; 4]).expect("a part"), 4);
        commit(&sends, 0, len);
        for _ in 0..2 {
            let error = stream.try_recv(&mut [0; 4]).expect_err("it was longer");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{len} bytes");
        }
    }
    let (channel, [sends, _takes], _bell) = with_liar();
    let stream = channel.stream();
    commit(&sends, 0, 0);
    let error = stream.try_recv(&mut [0; 4]).expect_err("it is no end");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
