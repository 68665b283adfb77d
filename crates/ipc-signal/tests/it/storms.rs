//! No handler, so none that could deadlock: storms while every thread allocates.

use crate::real_time;
use ipc_signal::{Child, ErrorKind, Options, Signal, SignalSet, Target};
use ipc_testkit::{Role, Stage, Storm, isolated, watchdog};
use std::process::Command;
use std::time::Duration;

const SENT: i32 = 20_000;

/// Signals that this process handles, as the kernel keeps them.
fn handled() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with("SigCgt:"));
    line.expect("every process has one").to_owned()
}

#[test]
fn nothing_here_installs_a_handler() {
    isolated!({
        let before = handled();
        let options = Options::new().unchecked_threads(true).clone();
        let signals = options.receiver(Signal::USR1).expect("a receiver");
        let shutdown = options.shutdown().expect("an event");
        Target::this_thread().notify(Signal::USR1).expect("our own");
        signals.wait().expect("it is there");
        assert!(shutdown.try_wait().is_err());
        let child = Child::spawn(&mut Command::new("true")).expect("true");
        child.wait().expect("its end");
        assert_eq!(handled(), before);
    });
}

/// The test kit's handler runs over and over in the receiving thread, every thread allocates,
/// and the queue is full most of the time.
pub(crate) fn receive_while_allocating(_stage: Stage) {
    let _watchdog = watchdog(Duration::from_secs(120));
    let job = Signal::real_time(0).expect("the first");
    let flags = SignalSet::from([Signal::HUP, Signal::WINCH]);
    let signals = ipc_signal::receiver(flags | job.into()).expect("all block");
    let own = Target::this_process();
    std::thread::scope(|scope| {
        for flag in flags.iter() {
            scope.spawn(move || {
                for round in 0..SENT {
                    own.notify(flag).expect("a flag needs no room");
                    drop(vec![round; 100]);
                }
            });
        }
        scope.spawn(move || {
            for value in 0..SENT {
                let text = format!("signal {value}");
                loop {
                    match own.notify_with(job, value) {
                        Ok(()) => break,
                        Err(error) if error.kind() == ErrorKind::LimitReached => {
                            std::thread::yield_now();
                        }
                        Err(error) => panic!("{text}: {error}"),
                    }
                }
            }
        });
        let _storm = Storm::here();
        let (mut next, mut flagged) = (0, 0);
        while next < SENT {
            let delivery = signals.wait().expect("it comes");
            match delivery.value() {
                Some(value) => {
                    assert_eq!(value, next, "{delivery:?}");
                    next += 1;
                }
                None => flagged += 1,
            }
        }
        assert!(flagged <= 2 * SENT);
    });
}

#[test]
fn a_storm_while_everybody_allocates_hangs_nobody_and_loses_none() {
    let blocked = [real_time(0), libc::SIGHUP, libc::SIGWINCH];
    Role::new("malloc-heavy").blocking(&blocked).spawn().done();
}
