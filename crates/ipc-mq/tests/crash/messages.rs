//! R2: senders and receivers killed at random times: no message torn, and none lost but the one
//! that a dead receiver had received.

use ipc_mq::sysv::{self, Select};
use ipc_mq::{ErrorKind, Options, Queue};
use ipc_testkit::crash::{Lab, Tally, kill_at_random};
use ipc_testkit::shared_words;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SIZE: usize = 1024;
const AT_MOST: Duration = Duration::from_micros(60);

/// A queue of either kind.
enum Subject {
    Posix(Queue),
    SystemV(sysv::Queue),
}

impl Subject {
    const KINDS: [&'static str; 2] = ["POSIX", "System V"];

    fn new(kind: &str) -> Self {
        if kind == "POSIX" {
            let mut options = Options::new();
            options.max_messages(10).message_size_bytes(SIZE);
            Self::Posix(options.create_unnamed().expect("a queue"))
        } else {
            Self::SystemV(sysv::Options::new().create_unnamed().expect("a queue"))
        }
    }

    fn send(&self, message: &[u8]) {
        match self {
            Self::Posix(queue) => queue.send(message, 0).expect("room"),
            Self::SystemV(queue) => queue.send(message, 1).expect("room"),
        }
    }

    fn try_send(&self, message: &[u8]) -> bool {
        let sent = match self {
            Self::Posix(queue) => queue.try_send(message, 0),
            Self::SystemV(queue) => queue.try_send(message, 1),
        };
        sent.is_ok()
    }

    fn recv(&self, message: &mut [u8]) -> usize {
        match self {
            Self::Posix(queue) => queue.recv(message).expect("whole"),
            Self::SystemV(queue) => queue.recv(message, Select::First).expect("whole").length,
        }
    }

    /// The number of the next message, where there is one and it is whole.
    fn next(&self) -> Result<Option<u64>, String> {
        let mut bytes = [0; SIZE];
        let received = match self {
            Self::Posix(queue) => queue.try_recv(&mut bytes),
            Self::SystemV(queue) => {
                let received = queue.try_recv(&mut bytes, Select::First);
                received.map(|received| received.length)
            }
        };
        match received {
            Ok(length) => number(&bytes[..length]).map(Some),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The numbers of all that is in the queue, which must follow each other.
    fn drain(&self) -> Result<Vec<u64>, String> {
        let mut numbers: Vec<u64> = Vec::new();
        while let Some(number) = self.next()? {
            if numbers.last().is_some_and(|last| last + 1 != number) {
                return Err(format!("{number} follows {numbers:?}"));
            }
            numbers.push(number);
        }
        Ok(numbers)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Self::SystemV(queue) = self {
            let _ = queue.remove();
        }
    }
}

fn message(number: u64) -> [u8; SIZE] {
    let mut bytes = [(number % 251) as u8; SIZE];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn number(bytes: &[u8]) -> Result<u64, String> {
    let first = bytes.first_chunk::<8>().ok_or("shorter than a number")?;
    let number = u64::from_le_bytes(*first);
    if bytes == message(number) {
        Ok(number)
    } else {
        Err(format!("message {number} is torn"))
    }
}

pub(crate) fn of_a_killed_sender(lab: &mut Lab) {
    let sent: &AtomicU64 = &shared_words(1)[0];
    for kind in Subject::KINDS {
        let mut tally = Tally::new("R2", format!("{kind}: sender killed at random"));
        let subject = Subject::new(kind);
        for _ in 0..lab.count(500, 10_000, 100_000) {
            sent.store(0, Ordering::Release);
            let send = || {
                for number in 0.. {
                    subject.send(&message(number));
                    sent.store(number + 1, Ordering::Release);
                }
            };
            let drained = kill_at_random(lab, AT_MOST, send, |_zombie| subject.drain());
            let sent = sent.load(Ordering::Acquire);
            tally.trial(drained.and_then(|numbers| {
                let there = numbers.len() as u64;
                let first = numbers.first().copied().unwrap_or(0);
                if first == 0 && (there == sent || there == sent + 1) {
                    Ok(())
                } else {
                    Err(format!("{sent} sent, {numbers:?} there"))
                }
            }));
        }
        lab.enter(tally);
    }
}

pub(crate) fn of_a_killed_receiver(lab: &mut Lab) {
    let words = shared_words(2);
    let (received, torn) = (&words[0], &words[1]);
    for kind in Subject::KINDS {
        let mut tally = Tally::new("R2", format!("{kind}: receiver killed at random"));
        let subject = Subject::new(kind);
        for _ in 0..lab.count(500, 10_000, 100_000) {
            received.store(0, Ordering::Release);
            torn.store(0, Ordering::Release);
            let mut sent = 0;
            while subject.try_send(&message(sent)) {
                sent += 1;
            }
            let receive = || {
                let mut bytes = [0; SIZE];
                loop {
                    let length = subject.recv(&mut bytes);
                    match number(&bytes[..length]) {
                        Ok(number) => received.store(number + 1, Ordering::Release),
                        Err(_) => torn.store(1, Ordering::Release),
                    }
                }
            };
            let drained = kill_at_random(lab, AT_MOST, receive, |_zombie| subject.drain());
            let (received, torn) = (
                received.load(Ordering::Acquire),
                torn.load(Ordering::Acquire),
            );
            tally.trial(drained.and_then(|numbers| {
                let left = sent - numbers.len() as u64;
                // The dead one may have received one more than it could note.
                let right = left == received || left == received + 1;
                let last = numbers.last().is_none_or(|last| last + 1 == sent);
                if right && last && torn == 0 {
                    Ok(())
                } else {
                    Err(format!(
                        "{received} of {sent} noted, {numbers:?} left, torn {torn}"
                    ))
                }
            }));
        }
        lab.enter(tally);
    }
}
