//! One blocking wait for any mix of endpoints and timers.

mod armed;
mod ends;
mod fair;
mod mixed;
mod quiet;
mod rested;
mod threads;
mod timers;

use std::time::Duration;

/// How long a test may take before it is said to hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// Long enough that nothing that should come could come later.
const QUIET: Duration = Duration::from_millis(50);

fn this_thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// Until a thread of this process sleeps, or has ended.
fn until_asleep(thread: i32) {
    let is_asleep = || {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
        // Behind its name, which may hold anything, stands the letter of its state.
        stat.map_or(true, |stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('S'))
        })
    };
    while !is_asleep() {
        std::thread::yield_now();
    }
}

/// Sends one message into the ring that is met at the first argument, and waits to be killed.
pub(crate) fn send_into_a_ring(stage: ipc_testkit::Stage) {
    let path = std::path::PathBuf::from(stage.argument(0));
    let (sender, receiver) = ipc_ring::connect(&path).expect("a channel").split();
    sender.send(b"hello").expect("sent");
    let _ = receiver.recv(&mut [0; 8]);
}
