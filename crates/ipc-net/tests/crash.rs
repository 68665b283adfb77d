//! The crash laboratory of ipc-net: a peer that is killed in the middle of its messages.

use ipc_core::Framed;
use ipc_net::{ErrorKind, Stream};
use ipc_testkit::crash::{Lab, Tally, kill_at_random, laboratory};
use ipc_testkit::shared_words;
use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SIZE: usize = 1_000;
const AT_MOST: Duration = Duration::from_micros(200);
/// Who waits so long does not learn of a death.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    laboratory(&[
        ("killed senders", of_a_killed_sender),
        ("killed receivers", of_a_killed_receiver),
    ])
}

fn message(number: u64) -> [u8; SIZE] {
    let mut bytes = [(number % 251) as u8; SIZE];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// R2: what a sender had sent before it was killed arrives, whole and in order, and then an end.
fn of_a_killed_sender(lab: &mut Lab) {
    let sent: &AtomicU64 = &shared_words(1)[0];
    let mut tally = Tally::new("R2", "TCP: sender killed at random");
    for _ in 0..lab.count(500, 10_000, 100_000) {
        sent.store(0, Ordering::Release);
        let (tx, rx) = ipc_net::pair().expect("sockets");
        let (tx, rx) = (RefCell::new(Some(tx.framed())), rx.framed());
        let send = || {
            let tx = tx.take().expect("the copy's");
            for number in 0.. {
                tx.send(&message(number)).expect("somebody reads");
                sent.store(number + 1, Ordering::Release);
            }
        };
        let outcome = kill_at_random(lab, AT_MOST, send, |_| {
            drop(tx.take());
            whole_until_the_end(&rx, sent.load(Ordering::Acquire))
        });
        tally.trial(outcome);
    }
    lab.enter(tally);
}

fn whole_until_the_end(rx: &Framed<Stream>, sent: u64) -> Result<(), String> {
    let mut bytes = [0; SIZE];
    for number in 0.. {
        match rx.recv_timeout(&mut bytes, PATIENCE) {
            Ok(SIZE) if bytes == message(number) => {}
            Ok(length) => return Err(format!("message {number} is torn, {length} bytes")),
            // The one that it was sending may be there, in part or not at all.
            Err(error) if matches!(error.kind(), ErrorKind::Closed | ErrorKind::Truncated) => {
                return match number == sent || number == sent + 1 {
                    true => Ok(()),
                    false => Err(format!("{number} came of {sent} that were sent: {error}")),
                };
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// R2, D15: a sender learns that nobody receives any more, and lives.
fn of_a_killed_receiver(lab: &mut Lab) {
    let mut tally = Tally::new("R2", "TCP: receiver killed at random");
    for _ in 0..lab.count(500, 10_000, 100_000) {
        let (tx, rx) = ipc_net::pair().expect("sockets");
        let (tx, rx) = (tx.framed(), RefCell::new(Some(rx.framed())));
        tx.send(&message(0)).expect("room");
        let receive = || {
            let rx = rx.take().expect("the copy's");
            let mut bytes = [0; SIZE];
            while rx.recv(&mut bytes).is_ok() {}
        };
        let outcome = kill_at_random(lab, AT_MOST, receive, |_| {
            drop(rx.take());
            for number in 1.. {
                match tx.send_timeout(&message(number), PATIENCE) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::Closed => break,
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(())
        });
        tally.trial(outcome);
    }
    lab.enter(tally);
}
