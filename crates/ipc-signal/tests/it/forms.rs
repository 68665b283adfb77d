//! What each form of a receive does: alone, interrupted, and after a stop.

use crate::real_time;
use ipc_core::{Interest, Pollable, Until};
use ipc_signal::{ErrorKind, Options, Receiver, Signal, Target};
use ipc_testkit::{Role, Stage, Storm, allocations, watchdog};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

/// A receiver in this thread alone: the threads of the test harness block nothing.
fn here(signal: Signal) -> Receiver {
    let made = Options::new().unchecked_threads(true).receiver(signal);
    made.expect("a receiver")
}

fn job() -> Signal {
    Signal::real_time(0).expect("the first")
}

#[test]
fn every_form_receives() {
    let _watchdog = watchdog(PATIENCE);
    let signals = here(job());
    let late = Instant::now() + PATIENCE;
    let send = |value| Target::this_thread().notify_with(job(), value);
    for form in 0..4 {
        send(form).expect("our own thread");
        let delivery = match form {
            0 => signals.wait(),
            1 => signals.try_wait(),
            2 => signals.wait_timeout(Duration::MAX),
            _ => signals.wait_deadline(late),
        };
        let delivery = delivery.expect("it is there");
        assert_eq!((delivery.signal(), delivery.value()), (job(), Some(form)));
    }
}

#[test]
fn nothing_there_makes_no_form_wait_too_short() {
    let _watchdog = watchdog(PATIENCE);
    let signals = here(job());
    let kind = |outcome: ipc_signal::Result<_>| outcome.map(drop).expect_err("nothing").kind();
    assert_eq!(kind(signals.try_wait()), ErrorKind::WouldBlock);
    let start = Instant::now();
    assert_eq!(kind(signals.wait_timeout(SHORT)), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    assert_eq!(kind(signals.wait_deadline(start)), ErrorKind::TimedOut);
    let ready = signals.wait_ready(&[Interest::Read], Until::Now);
    assert_eq!(ready.expect_err("nothing").kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_receive_past_its_deadline_still_takes_what_is_there() {
    let signals = here(job());
    Target::this_thread()
        .notify_with(job(), 1)
        .expect("our own");
    let past = Instant::now();
    assert_eq!(signals.wait_deadline(past).expect("there").value(), Some(1));
}

#[test]
fn the_descriptor_shows_what_a_receive_would_get() {
    let _watchdog = watchdog(PATIENCE);
    let signals = here(job());
    Target::this_thread().notify(job()).expect("our own");
    signals
        .wait_ready(&[Interest::Read], Until::Forever)
        .expect("it is there");
    signals.try_wait().expect("it is there");
    assert!(signals.wait_ready(&[Interest::Read], Until::Now).is_err());
}

#[test]
fn other_signals_interrupt_no_form() {
    let _watchdog = watchdog(PATIENCE);
    let signals = here(job());
    let target = Target::this_thread();
    std::thread::scope(|scope| {
        let storm = Storm::here();
        let (go, gone) = std::sync::mpsc::channel();
        scope.spawn(move || {
            for value in gone {
                target.notify_with(job(), value).expect("a live thread");
            }
        });
        for round in 0..2_000 {
            go.send(round).expect("the sender lives");
            let took = match round % 3 {
                0 => signals.wait(),
                1 => signals.wait_timeout(Duration::MAX),
                _ => signals.wait_deadline(Instant::now() + PATIENCE),
            };
            assert_eq!(took.expect("it comes").value(), Some(round));
        }
        let start = Instant::now();
        let late = signals.wait_timeout(20 * SHORT).expect_err("nothing more");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= 20 * SHORT && storm.sent() > 0);
        drop(go);
    });
}

#[test]
fn no_form_allocates() {
    let signals = here(job());
    let count = allocations(|| {
        for value in 0..100 {
            Target::this_thread()
                .notify_with(job(), value)
                .expect("our own");
            assert_eq!(signals.wait().expect("there").value(), Some(value));
            let empty = signals.try_wait().expect_err("nothing").kind();
            assert_eq!(empty, ErrorKind::WouldBlock);
        }
    });
    assert_eq!(count, 0);
}

/// Says its number, and then how many it received of what was sent while it was stopped.
pub(crate) fn count_after_a_stop(mut stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let ready = stage.descriptor();
    let signals = ipc_signal::receiver(job()).expect("a receiver");
    rustix::io::write(&ready, b"r").expect("the test listens");
    for expected in 0..100 {
        assert_eq!(signals.wait().expect("queued").value(), Some(expected));
    }
}

#[test]
fn a_stopped_process_receives_everything_once_it_goes_on() {
    let _watchdog = watchdog(PATIENCE);
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("stopped")
        .blocking(&[real_time(0)])
        .descriptor(&tell)
        .spawn();
    drop(tell);
    assert_eq!(rustix::io::read(&told, &mut [0u8; 1]), Ok(1));
    let pidfd = child.pidfd();
    let target = Target::pidfd(&pidfd);
    target.notify(Signal::STOP).expect("our child");
    for value in 0..100 {
        target.notify_with(job(), value).expect("our child");
    }
    target.notify(Signal::CONT).expect("our child");
    child.done();
}
