//! Readers and writers of a broadcast that lie: the worst is an error, and it is the liar's.

use crate::broadcast::{message, options, with_readers};
use crate::liar::{hear, like, real_reader, with_lying_writer};
use ipc_ring::{Broadcaster, ErrorKind, Options, Received, WhenFull};
use ipc_shm::Region;
use ipc_testkit::watchdog;
use ipc_uds::SeqPacket;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
use crate::liar::HELLO_OF_A_READER as HELLO;
/// Where a reader says how far it is, a writer which message is the oldest.
const AT_PROGRESS: usize = 64;

#[test]
fn a_beginning_that_is_not_a_readers_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let (hello, fds) = real_reader();
    assert_eq!((&hello[..], fds.len()), (&HELLO[..], 2));
    let writer = Options::new().broadcast().expect("memory");
    let kind = |hello: &[u8], fds: &[&OwnedFd]| {
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        theirs.send_with_fds(hello, &fds).expect("sent");
        writer.add(ours).expect_err("it lies").kind()
    };
    let (memory, rope) = (&fds[0], &fds[1]);
    assert_eq!(
        kind(b"ipc-ring\x01\0\0\0", &[memory, rope]),
        ErrorKind::Corrupt
    );
    assert_eq!(
        kind(b"ipc-cast\x02\0\0\0", &[memory, rope]),
        ErrorKind::Unsupported
    );
    assert_eq!(kind(HELLO, &[memory]), ErrorKind::Corrupt);
    assert_eq!(kind(HELLO, &[memory, memory]), ErrorKind::Corrupt);
    assert_eq!(kind(HELLO, &[rope, memory]), ErrorKind::Denied);
    assert_eq!(writer.readers().expect("counted"), 0);
}

/// A reader that a writer has taken in, and who is us.
struct LyingReader {
    takes: Region,
    hello: Vec<u8>,
    given: Vec<OwnedFd>,
    /// Its bell and its socket, without which it would be dead.
    _lives: (Vec<OwnedFd>, SeqPacket),
}

impl LyingReader {
    fn of(writer: &Broadcaster) -> Self {
        let (_, fds) = real_reader();
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let takes = like(&fds[0]);
        let memory = takes.to_read_only_fd().expect("a descriptor");
        theirs
            .send_with_fds(HELLO, &[memory.as_fd(), fds[1].as_fd()])
            .expect("sent");
        writer.add(ours).expect("it looks like a reader");
        let (hello, given) = hear(&theirs);
        Self {
            takes,
            hello,
            given,
            _lives: (fds, theirs),
        }
    }
}

#[test]
fn a_reader_that_says_it_took_what_was_not_sent_is_left_out_alone() {
    let _watchdog = watchdog(PATIENCE);
    let (writer, readers) = with_readers(&options(WhenFull::Block), 1);
    writer.send(&message(0)).expect("room");
    let LyingReader {
        takes,
        hello,
        given,
        ..
    } = LyingReader::of(&writer);
    assert_eq!(hello[12..], 1_u64.to_le_bytes());
    assert_eq!(given.len(), 2);
    assert_eq!(writer.readers().expect("counted"), 2);
    takes
        .atomic_u64(AT_PROGRESS)
        .expect("ours")
        .store(7, Relaxed);
    assert_eq!(writer.readers().expect("counted"), 1);
    let received = readers[0].recv(&mut [0; 16]).expect("a message");
    assert_eq!(received, Received::Message(8));
    // What it was given lets it write nothing.
    let given = given.into_iter().next().expect("memory");
    let region = ipc_shm::Options::new().any_word(true).attach(given);
    assert!(region.is_err() || region.is_ok_and(|region| region.is_read_only()));
}

#[test]
fn a_reader_that_rings_all_the_time_takes_no_deadline_from_the_writer() {
    let _watchdog = watchdog(PATIENCE);
    let writer = options(WhenFull::Block).broadcast().expect("memory");
    let mut reader = LyingReader::of(&writer);
    let rope = reader.given.pop().expect("it wakes the writer");
    while writer.try_send(b"message").is_ok() {}
    ring_often(&rope);
    let late = writer.send_timeout(b"message", Duration::from_micros(1));
    assert_eq!(late.expect_err("no room").kind(), ErrorKind::TimedOut);
    assert!(rustix::io::ioctl_fionread(&rope).expect("a pipe") > 0);
}

/// Rings as often as fits.
pub(crate) fn ring_often(rope: &OwnedFd) {
    rustix::io::ioctl_fionbio(rope, true).expect("a pipe");
    while rustix::io::write(rope, &[1; 4096]).is_ok() {}
}

#[test]
fn whatever_stands_in_a_writers_memory_is_a_message_a_miss_or_an_error() {
    let _watchdog = watchdog(PATIENCE);
    assert!(with_lying_writer(u64::MAX).0.is_err());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut messages, mut missed, mut errors) = (0, 0, 0);
    for _ in 0..40 {
        let (reader, sends) = with_lying_writer(0);
        let (reader, mut buffer) = (reader.expect("it believes us"), Vec::new());
        let mut next = 0_u64;
        for _ in 0..800 {
            // The first lines and slots do more harm than the bytes behind them.
            let slot = 128 + (next % 16) as usize * 128;
            let at = match random() % 6 {
                0 => AT_PROGRESS,
                1 => slot,
                2 => slot + 8,
                3 => random() as usize % (sends.len_bytes() / 8) * 8,
                _ => random() as usize % 160 * 8,
            };
            // Numbers that are nearly right do more harm than noise.
            let value = match random() % 8 {
                0 => random(),
                1 => ((random() % 40) << 32) | (random() % 300),
                2 => next + random() % 40,
                3 => random() % 4_096,
                _ => ((next + 1) << 32) | (random() % 3_000),
            };
            // It would have missed too much to be lied to any more.
            let value = match at {
                AT_PROGRESS if value < 1 << 62 => value % (next + 40),
                _ => value,
            };
            sends.atomic_u64(at).expect("ours").store(value, Relaxed);
            match reader.try_recv_vec(&mut buffer) {
                Ok(Received::Message(len)) => {
                    assert!(len <= reader.max_message_bytes());
                    messages += 1;
                    next += 1;
                }
                Ok(Received::Missed(count)) => {
                    missed += u64::from(count > 0);
                    next += count;
                }
                Err(error) => {
                    let known = [
                        ErrorKind::WouldBlock,
                        ErrorKind::Corrupt,
                        ErrorKind::Closed,
                        ErrorKind::PeerDied,
                    ];
                    assert!(known.contains(&error.kind()), "{error}");
                    errors += 1;
                }
            }
        }
    }
    let all = [messages, missed, errors];
    assert!(all.iter().all(|&count| count > 0), "{all:?}");
}
