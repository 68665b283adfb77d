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

/// Sends one message into the ring that is met at the first argument, and waits to be killed.
pub(crate) fn send_into_a_ring(stage: ipc_testkit::Stage) {
    let path = std::path::PathBuf::from(stage.argument(0));
    let (sender, receiver) = ipc_ring::connect(&path).expect("a channel").split();
    sender.send(b"hello").expect("sent");
    let _ = receiver.recv(&mut [0; 8]);
}
