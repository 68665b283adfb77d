//! The claims of the suite, each a test that any channel passes.

use super::Channel;
use crate::{Role, Storm, allocations, set_sigpipe_default, watchdog, without_stdio};
use ipc_core::{ErrorKind, Interest, Pollable, Result, TryRecv, TrySend};
use std::time::{Duration, Instant};

/// How long a test may take before it is said to hang.
const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

/// A message that tells its number, and whether it is whole.
fn message(number: u64) -> [u8; 64] {
    let mut bytes = [(number % 251) as u8; 64];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[track_caller]
fn check(bytes: &[u8], number: u64) {
    assert_eq!(bytes, message(number), "message {number}");
}

/// Receives exactly one message of 64 bytes by `recv`, in as many reads as a byte stream takes.
#[track_caller]
fn expect<C: Channel>(rx: &C::Rx, number: u64) {
    let mut bytes = [0; 64];
    let mut filled = 0;
    while filled < bytes.len() {
        let length = C::recv(rx, &mut bytes[filled..]).expect("a message is on its way");
        assert!(
            length > 0 && (!C::MESSAGES || length == bytes.len()),
            "{length} bytes"
        );
        filled += length;
    }
    check(&bytes, number);
}

#[track_caller]
fn assert_kind<T: std::fmt::Debug>(outcome: Result<T>, kind: ErrorKind) {
    match outcome {
        Err(error) if error.kind() == kind => {}
        other => panic!("{kind:?} expected, got {other:?}"),
    }
}

#[allow(missing_docs)]
pub fn every_form_sends_and_receives<C: Channel>(_here: &str) {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    let late = Instant::now() + PATIENCE;
    C::send(&tx, &message(0)).expect("send");
    C::try_send(&tx, &message(1)).expect("try_send");
    C::send_timeout(&tx, &message(2), Duration::MAX).expect("send_timeout");
    C::send_deadline(&tx, &message(3), late).expect("send_deadline");
    TrySend::try_send(&tx, &message(4)).expect("the trait's try_send");
    let mut bytes = [0; 64];
    assert_eq!(C::recv(&rx, &mut bytes).expect("recv"), 64);
    check(&bytes, 0);
    assert_eq!(C::try_recv(&rx, &mut bytes).expect("try_recv"), 64);
    check(&bytes, 1);
    assert_eq!(
        C::recv_timeout(&rx, &mut bytes, Duration::MAX).expect("recv_timeout"),
        64
    );
    check(&bytes, 2);
    assert_eq!(
        C::recv_deadline(&rx, &mut bytes, late).expect("recv_deadline"),
        64
    );
    check(&bytes, 3);
    assert_eq!(
        TryRecv::try_recv(&rx, &mut bytes).expect("the trait's try_recv"),
        64
    );
    check(&bytes, 4);
}

#[allow(missing_docs)]
pub fn an_empty_channel_makes_no_form_wait_too_short<C: Channel>(_here: &str) {
    let _watchdog = watchdog(PATIENCE);
    let (_tx, rx) = C::pair();
    let mut bytes = [0; 64];
    assert_kind(C::try_recv(&rx, &mut bytes), ErrorKind::WouldBlock);
    let start = Instant::now();
    assert_kind(C::recv_timeout(&rx, &mut bytes, SHORT), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    let deadline = Instant::now() + SHORT;
    assert_kind(
        C::recv_deadline(&rx, &mut bytes, deadline),
        ErrorKind::TimedOut,
    );
    assert!(Instant::now() >= deadline);
    // A deadline in the past is tried once.
    assert_kind(
        C::recv_deadline(&rx, &mut bytes, deadline),
        ErrorKind::TimedOut,
    );
    assert_kind(
        C::recv_timeout(&rx, &mut bytes, Duration::ZERO),
        ErrorKind::TimedOut,
    );
}

#[allow(missing_docs)]
pub fn a_message_wakes_a_waiting_receiver<C: Channel>(_here: &str) {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    let (back, answers) = C::pair();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..100 {
                expect::<C>(&rx, number);
                C::send(&back, &message(number)).expect("send");
            }
        });
        // Each message is sent when the other side has answered the last, and so waits again,
        // or is about to.
        for number in 0..100 {
            C::send(&tx, &message(number)).expect("send");
            let mut bytes = [0; 64];
            let timeout = if number % 2 == 0 {
                Duration::MAX
            } else {
                PATIENCE
            };
            assert_eq!(
                C::recv_timeout(&answers, &mut bytes, timeout).expect("an answer"),
                64
            );
            check(&bytes, number);
        }
    });
}

/// Sends by the try form until the channel is full; returns how many messages it took.
fn fill<C: Channel>(tx: &C::Tx) -> u64 {
    for number in 0..1_000_000 {
        match C::try_send(tx, &message(number)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return number,
            Err(error) => panic!("message {number}: {error}"),
        }
    }
    panic!("a channel without a bound");
}

/// The kind of error with which `send` finds the channel full. Where a network is in between, the
/// receiver's host may make room a while after it had none: then more is accepted first.
fn still_full<C: Channel>(
    accepted: &mut u64,
    mut send: impl FnMut(&[u8]) -> Result<()>,
) -> ErrorKind {
    loop {
        match send(&message(*accepted)) {
            Ok(()) if !C::ENDS_AT_ONCE => *accepted += 1,
            outcome => return outcome.expect_err("a full channel").kind(),
        }
    }
}

#[allow(missing_docs)]
pub fn a_full_channel_says_so_and_loses_nothing<C: Channel>(_here: &str) {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    let mut accepted = fill::<C>(&tx);
    assert!(accepted > 0, "it takes one message at least");
    let start = Instant::now();
    let late = still_full::<C>(&mut accepted, |bytes| C::send_timeout(&tx, bytes, SHORT));
    assert_eq!(late, ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    let late = still_full::<C>(&mut accepted, |bytes| C::send_deadline(&tx, bytes, start));
    assert_eq!(late, ErrorKind::TimedOut);
    let refused = still_full::<C>(&mut accepted, |bytes| C::try_send(&tx, bytes));
    assert_eq!(refused, ErrorKind::WouldBlock);
    // What was refused was not sent; what was accepted comes, whole and in order.
    let mut stream = Vec::new();
    let mut bytes = [0; 4096];
    while stream.len() < accepted as usize * 64 {
        let limit = if C::MESSAGES { 64 } else { bytes.len() };
        match C::try_recv(&rx, &mut bytes[..limit]) {
            Ok(length) => stream.extend_from_slice(&bytes[..length]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                let _ = C::try_flush(&tx);
            }
        }
    }
    for (number, bytes) in (0..).zip(stream.chunks(64)) {
        check(bytes, number);
    }
    let _ = C::try_flush(&tx);
    assert_kind(C::try_recv(&rx, &mut bytes), ErrorKind::WouldBlock);
}

#[allow(missing_docs)]
pub fn room_wakes_a_waiting_sender<C: Channel>(_here: &str) {
    const EXTRA: u64 = 2_000;
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    let accepted = fill::<C>(&tx);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in accepted..accepted + EXTRA {
                match number % 3 {
                    0 => C::send(&tx, &message(number)),
                    1 => C::send_timeout(&tx, &message(number), Duration::MAX),
                    _ => C::send_deadline(&tx, &message(number), Instant::now() + PATIENCE),
                }
                .expect("there will be room");
            }
        });
        for number in 0..accepted + EXTRA {
            expect::<C>(&rx, number);
        }
    });
}

#[allow(missing_docs)]
pub fn the_end_shows_after_the_last_message<C: Channel>(_here: &str) {
    if !C::ENDS {
        return;
    }
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    C::send(&tx, &message(0)).expect("send");
    drop(tx);
    expect::<C>(&rx, 0);
    let mut bytes = [0; 64];
    for _ in 0..2 {
        assert_kind(C::recv(&rx, &mut bytes), ErrorKind::Closed);
        assert_kind(C::try_recv(&rx, &mut bytes), ErrorKind::Closed);
        assert_kind(
            C::recv_timeout(&rx, &mut bytes, PATIENCE),
            ErrorKind::Closed,
        );
    }
}

#[allow(missing_docs)]
pub fn a_missing_receiver_is_an_error_and_no_signal<C: Channel>(here: &str) {
    if !C::ENDS {
        return;
    }
    crate::run_isolated(here, || {
        set_sigpipe_default();
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = C::pair();
        drop(rx);
        while !C::ENDS_AT_ONCE && C::send(&tx, &message(0)).is_ok() {}
        assert_kind(C::send(&tx, &message(0)), ErrorKind::Closed);
        assert_kind(C::try_send(&tx, &message(0)), ErrorKind::Closed);
        assert_kind(
            C::send_timeout(&tx, &message(0), PATIENCE),
            ErrorKind::Closed,
        );
    });
}

fn ended<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(e) if matches!(e.kind(), ErrorKind::Closed | ErrorKind::PeerDied))
}

#[allow(missing_docs)]
pub fn a_killed_sender_ends_the_channel<C: Channel>(_here: &str) {
    if !C::ENDS || !C::HELD_BY_DESCRIPTOR {
        return;
    }
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    C::send(&tx, &message(0)).expect("send");
    let holder = Role::new("hold")
        .descriptor(tx.descriptor(Interest::Write))
        .spawn_holding();
    drop(tx);
    expect::<C>(&rx, 0);
    let mut bytes = [0; 64];
    assert_kind(C::try_recv(&rx, &mut bytes), ErrorKind::WouldBlock);
    holder.kill();
    // Dead and not reaped: the end shows all the same.
    assert!(ended(&C::recv(&rx, &mut bytes)));
}

#[allow(missing_docs)]
pub fn a_killed_receiver_ends_the_channel<C: Channel>(_here: &str) {
    if !C::ENDS || !C::HELD_BY_DESCRIPTOR {
        return;
    }
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    let holder = Role::new("hold")
        .descriptor(rx.descriptor(Interest::Read))
        .spawn_holding();
    drop(rx);
    let accepted = fill::<C>(&tx);
    holder.kill();
    let mut outcome = C::send(&tx, &message(accepted));
    while !C::ENDS_AT_ONCE && outcome.is_ok() {
        outcome = C::send(&tx, &message(accepted));
    }
    assert!(ended(&outcome), "{outcome:?}");
}

#[allow(missing_docs)]
pub fn a_storm_of_signals_changes_nothing<C: Channel>(here: &str) {
    const MESSAGES: u64 = 20_000;
    crate::run_isolated(here, || {
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = C::pair();
        let receiver = std::thread::spawn(move || {
            let _storm = Storm::here();
            for number in 0..MESSAGES {
                expect::<C>(&rx, number);
            }
            rx
        });
        let storm = Storm::here();
        for number in 0..MESSAGES {
            match number % 2 {
                0 => C::send(&tx, &message(number)),
                _ => C::send_timeout(&tx, &message(number), Duration::MAX),
            }
            .expect("interrupted calls are made again");
        }
        let rx = receiver.join().expect("all came");
        // A deadline is absolute: the storm does not stretch it.
        let mut bytes = [0; 64];
        let sent = storm.sent();
        // On a busy host a wait may pass before the storm gets its turn.
        while storm.sent() == sent {
            assert_kind(
                C::recv_timeout(&rx, &mut bytes, 20 * SHORT),
                ErrorKind::TimedOut,
            );
        }
    });
}

#[allow(missing_docs)]
pub fn nothing_is_allocated_per_message<C: Channel>(_here: &str) {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    let round = || {
        C::send(&tx, &message(1)).expect("send");
        expect::<C>(&rx, 1);
        C::try_send(&tx, &message(2)).expect("send");
        expect::<C>(&rx, 2);
        let mut bytes = [0; 64];
        assert_kind(C::try_recv(&rx, &mut bytes), ErrorKind::WouldBlock);
    };
    round(); // Buffers are made by the first.
    assert_eq!(allocations(|| (0..100).for_each(|_| round())), 0);
}

#[allow(missing_docs)]
pub fn a_timed_out_error_is_as_cheap_as_a_try<C: Channel>(_here: &str) {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = C::pair();
    let mut bytes = [0; 64];
    let past = Instant::now();
    let late = || {
        assert_kind(C::recv_deadline(&rx, &mut bytes, past), ErrorKind::TimedOut);
    };
    let mut late = late;
    late(); // Buffers are made by the first.
    assert_eq!(allocations(late), 0);
    drop(tx);
}

#[allow(missing_docs)]
pub fn descriptors_are_above_stdio_and_close_on_exec<C: Channel>(here: &str) {
    crate::run_isolated(here, || {
        let _watchdog = watchdog(PATIENCE);
        let numbers = without_stdio(|| {
            let (tx, rx) = C::pair();
            let ends = [
                tx.descriptor(Interest::Write),
                rx.descriptor(Interest::Read),
            ];
            let flags = ends.map(|end| rustix::io::fcntl_getfd(end).expect("an open descriptor"));
            assert!(
                flags
                    .iter()
                    .all(|flags| flags.contains(rustix::io::FdFlags::CLOEXEC))
            );
            C::send(&tx, &message(7)).expect("send");
            expect::<C>(&rx, 7);
            ends.map(|end| std::os::fd::AsRawFd::as_raw_fd(&end))
        });
        assert!(numbers.iter().all(|number| *number > 2), "{numbers:?}");
    });
}
