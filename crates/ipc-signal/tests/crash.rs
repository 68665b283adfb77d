//! The crash laboratory of ipc-signal: senders that are killed, and ends that nobody has reaped.

use ipc_signal::{ErrorKind, Options, Receiver, Signal, Target};
use ipc_testkit::crash::{Lab, Tally, kill_at_random, laboratory};
use ipc_testkit::shared_words;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const AT_MOST: Duration = Duration::from_micros(200);
/// No more are queued by one sender: a long queue is slow to search.
const MOST: i32 = 500;

fn main() -> ExitCode {
    laboratory(&[("killed senders", of_a_killed_sender)])
}

/// R2: what was queued before its sender was killed is received, in order, under its number.
fn of_a_killed_sender(lab: &mut Lab) {
    let job = Signal::real_time(0).expect("the first");
    let receiver = Options::new().receiver(job).expect("a receiver");
    let sent: &AtomicU64 = &shared_words(1)[0];
    let sender_id: &AtomicU64 = &shared_words(1)[0];
    let target = Target::process(std::process::id()).expect("this one");
    let mut tally = Tally::new("R2", "queued signals: sender killed at random");
    for _ in 0..lab.count(500, 10_000, 100_000) {
        sent.store(0, Ordering::Release);
        let send = || {
            sender_id.store(u64::from(std::process::id()), Ordering::Release);
            for number in 0..MOST {
                if target.notify_with(job, number).is_err() {
                    break;
                }
                sent.fetch_add(1, Ordering::Release);
            }
            // It is killed here at the latest.
            loop {
                std::hint::spin_loop();
            }
        };
        let outcome = kill_at_random(lab, AT_MOST, send, |_| {
            let sender = sender_id.load(Ordering::Acquire);
            in_order(&receiver, sender, sent.load(Ordering::Acquire))
        });
        tally.trial(outcome);
    }
    lab.enter(tally);
}

fn in_order(receiver: &Receiver, sender: u64, sent: u64) -> Result<(), String> {
    let mut next: u64 = 0;
    loop {
        match receiver.try_wait() {
            Ok(delivery) => {
                let of = delivery.sender_pid().map(u64::from);
                if delivery.value() != i32::try_from(next).ok() || of != Some(sender) {
                    return Err(format!("{delivery:?} where {next} of {sender} is due"));
                }
                next += 1;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    // The last may be queued, and its sender killed before it counted it.
    match next == sent || next == sent + 1 {
        true => Ok(()),
        false => Err(format!("{next} received of {sent} that were sent")),
    }
}
