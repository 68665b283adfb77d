//! Other libraries in the same process: each has its own signals, a shared one goes to us.

use crate::real_time;
use ipc_async::Async;
use ipc_signal::{Child, Mask, Receiver, Signal, SignalSet, Target};
use ipc_testkit::{Role, Stage, watchdog};
use signal_hook::iterator::Signals;
use std::process::Command;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn signal_hook_and_we_share_a_process() {
    let role = Role::new("coexist").blocking(&[libc::SIGUSR1]);
    role.spawn().done();
}

/// Only USR1 is blocked, and in every thread.
pub(crate) fn receive_beside_others(_stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let ours = ipc_signal::receiver(Signal::USR1).expect("all block");
    let mut theirs = Signals::new([libc::SIGUSR1, libc::SIGUSR2]).expect("handlers");
    let own = Target::this_process();
    for _ in 0..100 {
        own.notify(Signal::USR1).expect("our own");
        own.notify(Signal::USR2).expect("our own");
        assert_eq!(ours.wait().expect("it comes").signal(), Signal::USR1);
        assert_eq!(theirs.wait().collect::<Vec<_>>(), [libc::SIGUSR2]);
    }
    // What both want is ours as long as it is blocked …
    own.notify(Signal::USR1).expect("our own");
    assert!(SignalSet::pending().contains(Signal::USR1));
    assert_eq!(theirs.pending().count(), 0);
    ours.try_wait().expect("pending");
    // … and theirs in a thread that lets it through.
    let open: Mask = SignalSet::from(Signal::USR1).unblock().expect("it can be");
    own.notify(Signal::USR1).expect("our own");
    assert_eq!(theirs.wait().collect::<Vec<_>>(), [libc::SIGUSR1]);
    assert!(ours.try_wait().is_err());
    drop(open);
}

#[test]
fn tokio_and_we_share_a_process() {
    let role = Role::new("tokio").blocking(&[libc::SIGUSR1, real_time(0)]);
    role.spawn().done();
}

pub(crate) fn receive_beside_tokio(_stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let job = Signal::real_time(0).expect("the first");
    let ours = ipc_signal::receiver([Signal::USR1, job]).expect("all block");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let ours = Async::new(ours).expect("in a runtime");
        let mut theirs = signal(SignalKind::user_defined2()).expect("a handler");
        let mut shared = signal(SignalKind::user_defined1()).expect("a handler");
        let own = Target::this_process();
        for value in 0..100 {
            own.notify(Signal::USR2).expect("our own");
            own.notify_with(job, value).expect("our own");
            assert_eq!(ours.wait().await.expect("it comes").value(), Some(value));
            theirs.recv().await.expect("the driver lives");
        }
        own.notify(Signal::USR1).expect("our own");
        let taken = ours.wait().await.expect("it comes");
        assert_eq!(taken.signal(), Signal::USR1);
        let late = tokio::time::timeout(Duration::from_millis(20), shared.recv());
        assert!(
            late.await.is_err(),
            "their handler never runs while we block it"
        );
        // Their children end by their handler of SIGCHLD, ours by pidfd.
        let mut theirs = tokio::process::Command::new("true").spawn().expect("true");
        let child = Child::spawn(Command::new("sh").args(["-c", "exit 3"])).expect("a shell");
        let child = Async::new(child).expect("in a runtime");
        assert_eq!(child.wait().await.expect("its end").code(), Some(3));
        assert!(theirs.wait().await.expect("its end").success());
    });
}

#[test]
fn a_cancelled_wait_loses_no_signal() {
    let role = Role::new("awaited").blocking(&[real_time(0)]);
    role.spawn().done();
}

pub(crate) fn await_signals(_stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let job = Signal::real_time(0).expect("the first");
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let receiver: Receiver = ipc_signal::receiver(job).expect("all block");
    runtime().expect("a runtime").block_on(async {
        let signals = Async::new(receiver).expect("in a runtime");
        let sender = std::thread::spawn(move || {
            for value in 0..20_000 {
                while Target::this_process().notify_with(job, value).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        while expected < 20_000 {
            tokio::select! {
                biased;
                () = tokio::task::yield_now() => {}
                delivery = signals.wait() => {
                    assert_eq!(delivery.expect("queued").value(), Some(expected));
                    expected += 1;
                }
            }
        }
        sender.join().expect("it sends all");
    });
}
