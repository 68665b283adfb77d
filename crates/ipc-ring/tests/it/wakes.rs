//! Who sends to a receiver that is awake makes no system call to wake it.

use ipc_ring::ErrorKind;
use ipc_testkit::{TempDir, watchdog};
use std::process::Command;
use std::time::Duration;

const MESSAGES: u64 = 1_000_000;
/// Calls that wake a sleeper, as an end could make them.
const WAKING: &str = "trace=futex,write,writev,pwritev2,sendmsg,sendto";
/// How many messages `stream` sends.
const COUNT: &str = "IPC_RING_WAKES_COUNT";

/// What is counted: a test of its own, so that the same program can be started again for it.
#[test]
fn stream_to_a_receiver_that_is_awake() {
    let Some(count) = std::env::var(COUNT).ok() else {
        return;
    };
    let count: u64 = count.parse().expect("a number");
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..count {
                while let Err(error) = sender.try_send(&number.to_le_bytes()) {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    std::thread::yield_now();
                }
            }
        });
        let mut buffer = [0; 8];
        for number in 0..count {
            while receiver.try_recv(&mut buffer).is_err() {
                std::thread::yield_now();
            }
            assert_eq!(u64::from_le_bytes(buffer), number);
        }
    });
}

/// The waking calls of a stream of so many messages, or why they cannot be counted.
fn calls(count: u64) -> Result<u64, String> {
    let dir = TempDir::new();
    let log = dir.join("calls");
    let here = std::env::current_exe().expect("a program");
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-e", WAKING, "-e", "signal=none", "-o"])
        .arg(&log)
        .arg(here)
        .args(["wakes::stream_to_a_receiver_that_is_awake", "--exact"])
        .env(COUNT, count.to_string())
        .output();
    let traced = traced.map_err(|error| format!("strace: {error}"))?;
    if !traced.status.success() {
        let why = String::from_utf8_lossy(&traced.stderr);
        return Err(why.lines().next().unwrap_or_default().to_owned());
    }
    let log = std::fs::read_to_string(log).expect("strace wrote it");
    // A call that another thread's interrupts is shown again when it goes on.
    let begun = log.lines().filter(|line| !line.contains(" resumed>"));
    Ok(begun.count() as u64)
}

#[test]
fn a_million_messages_to_a_receiver_that_is_awake_take_at_most_ten_waking_calls() {
    let _watchdog = watchdog(Duration::from_secs(120));
    // Starting and ending takes some, whose number varies by a few: who ends waits for whom.
    let (none, many) = match (calls(1), calls(MESSAGES)) {
        (Ok(none), Ok(many)) => (none, many),
        (Err(why), _) | (_, Err(why)) => ipc_testkit::skip!("calls cannot be counted: {why}"),
    };
    let of_messages = many.saturating_sub(none);
    println!("{of_messages} waking calls for {MESSAGES} messages");
    assert!(of_messages <= 10 * MESSAGES / 1_000_000, "{none} {many}");
}
