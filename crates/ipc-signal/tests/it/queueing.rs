//! What is queued and what is not: real-time signals all, standard ones one at a time.

use crate::real_time;
use ipc_signal::{Code, ErrorKind, Signal, SignalSet, Target};
use ipc_testkit::{Role, Stage, watchdog};
use std::os::fd::OwnedFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
/// How many signals, on how many numbers.
const SENT: i32 = 100_000;
const NUMBERS: u8 = 4;
/// After how many the receiver says how far it is. The kernel searches its queue from the front
/// for the lowest number, so a long queue of several numbers costs its square.
const BATCH: i32 = 1_000;

fn numbers() -> Vec<i32> {
    (0..NUMBERS).map(real_time).collect()
}

fn say(fd: &OwnedFd) {
    rustix::io::write(fd, b"r").expect("the other side listens");
}

fn hear(fd: &OwnedFd) {
    let read = rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut [0u8; 1]));
    assert_eq!(read, Ok(1), "the role has ended early");
}

pub(crate) fn count_in_order(mut stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let ready = stage.descriptor();
    let set: SignalSet = (0..NUMBERS)
        .map(|index| Signal::real_time(index).expect("one of the first"))
        .collect();
    let signals = ipc_signal::receiver(set).expect("a receiver");
    say(&ready);
    let mut next = [0; NUMBERS as usize];
    for at in 1..=SENT {
        let delivery = signals.wait().expect("queued");
        if at % BATCH == 0 {
            say(&ready);
        }
        let index = (delivery.signal().number() - real_time(0)) as usize;
        assert_eq!(
            delivery.value(),
            Some(next[index]),
            "of {}",
            delivery.signal()
        );
        next[index] += 1;
    }
    assert_eq!(next, [SENT / i32::from(NUMBERS); NUMBERS as usize]);
    assert!(signals.try_wait().is_err(), "one more than was sent");
}

#[test]
fn a_hundred_thousand_queued_signals_arrive_in_order_per_number() {
    let _watchdog = watchdog(PATIENCE);
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("queued")
        .blocking(&numbers())
        .descriptor(&tell)
        .spawn();
    hear(&told);
    let pidfd = child.pidfd();
    for at in 0..SENT {
        let index = (at % i32::from(NUMBERS)) as u8;
        let signal = Signal::real_time(index).expect("one of the first");
        let value = at / i32::from(NUMBERS);
        if at % BATCH == 0 && at >= 2 * BATCH {
            hear(&told);
        }
        loop {
            match Target::pidfd(&pidfd).notify_with(signal, value) {
                Ok(()) => break,
                // The queue is bounded for the whole user: others may have filled it.
                Err(error) if error.kind() == ErrorKind::LimitReached => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }
    child.done();
}

pub(crate) fn receive_a_burst(mut stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let (ready, go) = (stage.descriptor(), stage.descriptor());
    let set: SignalSet = (0..NUMBERS)
        .map(|index| Signal::real_time(index).expect("one of the first"))
        .collect();
    let signals = ipc_signal::receiver(set).expect("a receiver");
    say(&ready);
    hear(&go);
    // All are pending: the lowest number comes first, each number in its order.
    for index in 0..NUMBERS {
        for value in 0..200 {
            let delivery = signals.try_wait().expect("pending");
            assert_eq!(delivery.signal().number(), real_time(index));
            assert_eq!(delivery.value(), Some(value));
        }
    }
}

#[test]
fn of_pending_signals_the_lowest_number_comes_first() {
    let _watchdog = watchdog(PATIENCE);
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let (go, start) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("burst")
        .blocking(&numbers())
        .descriptor(&tell)
        .descriptor(&go)
        .spawn();
    hear(&told);
    let target = Target::process(child.id()).expect("a number");
    for value in 0..200 {
        for index in (0..NUMBERS).rev() {
            let signal = Signal::real_time(index).expect("one of the first");
            target.notify_with(signal, value).expect("room for 800");
        }
    }
    say(&start);
    child.done();
}

pub(crate) fn receive_a_flag_once(mut stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let (ready, go) = (stage.descriptor(), stage.descriptor());
    let signals = ipc_signal::receiver([Signal::USR1, Signal::USR2]).expect("a receiver");
    say(&ready);
    hear(&go);
    let first = signals.try_wait().expect("pending");
    assert_eq!((first.signal(), first.code()), (Signal::USR1, Code::User));
    let second = signals.try_wait().expect("pending");
    assert_eq!((second.signal(), second.value()), (Signal::USR2, Some(0)));
    assert!(signals.try_wait().is_err(), "a flag is set or not");
}

/// Sent a hundred times each, received once each, with what the *first* one carried.
#[test]
fn a_standard_signal_is_a_flag_that_is_received_once() {
    let _watchdog = watchdog(PATIENCE);
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let (go, start) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("coalesce")
        .blocking(&[libc::SIGUSR1, libc::SIGUSR2])
        .descriptor(&tell)
        .descriptor(&go)
        .spawn();
    hear(&told);
    let target = Target::process(child.id()).expect("a number");
    for value in 0..100 {
        target.notify(Signal::USR1).expect("our child");
        target.notify_with(Signal::USR2, value).expect("our child");
    }
    say(&start);
    child.done();
}
