//! Threads: a signal must find no thread that would take it from its receiver.

use crate::real_time;
use ipc_signal::{ErrorKind, Options, Signal, SignalSet, Target};
use ipc_testkit::{Role, Stage, isolated, watchdog};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_thread_that_does_not_block_is_named() {
    isolated!({
        let (end, ended) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("careless".into())
            .spawn(move || ended.recv())
            .expect("a thread");
        let set = SignalSet::from([Signal::USR1, Signal::USR2]);
        let error = ipc_signal::receiver(set).map(drop).expect_err("careless");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let text = error.to_string();
        assert!(
            text.contains("SIGUSR1") && text.contains("thread "),
            "{text}"
        );
        assert!(!SignalSet::blocked().contains(Signal::USR1), "taken back");
        // Who knows what they do may.
        let unchecked = Options::new().unchecked_threads(true).receiver(set);
        drop(unchecked.expect("asked for"));
        drop(end);
        thread.join().expect("it ends").expect_err("hung up");
    });
}

/// Every thread blocks, by inheritance; four of them share the signals.
pub(crate) fn receive_in_a_pool(mut stage: Stage) {
    let _watchdog = watchdog(PATIENCE);
    let ready = stage.descriptor();
    let job = Signal::real_time(0).expect("the first");
    let signals = ipc_signal::receiver(job).expect("all block");
    let sum = AtomicI32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    match signals.wait().expect("queued").value() {
                        Some(0) | None => return,
                        Some(value) => sum.fetch_add(value, Ordering::Relaxed),
                    };
                }
            });
        }
        rustix::io::write(&ready, b"r").expect("the test listens");
    });
    assert_eq!(sum.into_inner(), (1..=1000).sum());
}

#[test]
fn each_signal_goes_to_one_of_the_threads_that_wait() {
    let _watchdog = watchdog(PATIENCE);
    let (told, tell) = rustix::pipe::pipe().expect("a pipe");
    let child = Role::new("pool")
        .blocking(&[real_time(0)])
        .descriptor(&tell)
        .spawn();
    assert_eq!(rustix::io::read(&told, &mut [0u8; 1]), Ok(1));
    let job = Signal::real_time(0).expect("the first");
    let target = Target::process(child.id()).expect("a number");
    for value in (1..=1000).chain([0; 4]) {
        target.notify_with(job, value).expect("room for 1,004");
    }
    child.done();
}
