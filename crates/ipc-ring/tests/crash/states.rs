//! R1: after each instruction of an operation the other side looks, and what it sees is whole.

use crate::casts;
use crate::deaths::{message, options};
use ipc_ring::{
    Ack, Batch, Broadcaster, ErrorKind, Options, Received, Receiver, Sender, Subscriber, WhenFull,
};
use ipc_testkit::crash::{Lab, Tally, single_step};
use std::cell::RefCell;

/// Between the numbers of two messages: one stands in a slot, others beside.
const STEP: u64 = 157;
const MESSAGES: u64 = 3;
/// What lies ready for who receives.
const READY: u64 = 5;

type Sends = fn(&RefCell<Option<Sender>>);
type Receives = fn(&RefCell<Option<Receiver>>);

fn number(at: u64) -> Vec<u8> {
    message(at * STEP)
}

fn sender(ends: &RefCell<Option<Sender>>, part: impl Fn(&Sender)) {
    part(ends.borrow().as_ref().expect("it is there"));
}

const SENDING: [(&str, u64, Sends); 7] = [
    ("send", 3, |ends| {
        sender(ends, |end| {
            (0..3).for_each(|at| end.send(&number(at)).expect("room"))
        });
    }),
    ("loan", 3, |ends| {
        sender(ends, |end| {
            for at in 0..3 {
                let bytes = number(at);
                let mut loan = end.loan(bytes.len()).expect("room");
                loan.write(&bytes).expect("inside");
                loan.send();
            }
        });
    }),
    ("loan, given back", 1, |ends| {
        sender(ends, |end| {
            let mut loan = end.loan(200).expect("room");
            loan.write(&[9; 200]).expect("inside");
            drop(loan);
            end.send(&number(0)).expect("room");
        });
    }),
    ("batch", 3, |ends| {
        sender(ends, |end| {
            let all = [number(0), number(1), number(2)];
            let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
            assert_eq!(end.send_batch(&all).expect("room"), 3);
        });
    }),
    ("send_acked", 2, |ends| {
        sender(ends, |end| {
            for (at, ack) in [(0, Ack::Taken), (1, Ack::Done)] {
                let _ = end.try_send_acked(&number(at), ack).expect("room");
            }
        });
    }),
    ("close", 3, |ends| {
        let end = ends.borrow_mut().take().expect("it is there");
        (0..3).for_each(|at| end.send(&number(at)).expect("room"));
        drop(end);
    }),
    ("send, which wakes", 3, |ends| {
        sender(ends, |end| {
            (0..3).for_each(|at| end.try_send(&number(at)).expect("room"))
        });
    }),
];

pub(crate) fn of_sending(lab: &mut Lab) {
    for (what, count, operation) in SENDING {
        let states = lab.count(2_000, 80_000, 800_000);
        each_state(
            lab,
            &format!("{what}: a receiver looks"),
            states,
            |eager, stop| {
                let (end, receiver) = options().pair().expect("a pair");
                let ends = RefCell::new(Some(end));
                let mut seen = Ok(0);
                let steps = single_step(
                    || operation(&ends),
                    |step| {
                        if let (Ok(came), true) = (&seen, eager) {
                            seen = drain(&receiver, *came);
                        } else if let Ok(came) = &seen {
                            seen = first(&receiver, *came).map(|()| *came);
                        }
                        step < stop
                    },
                )?;
                let came = seen.and_then(|came| drain(&receiver, came));
                let whole = steps < stop;
                Ok((
                    steps,
                    came.and_then(|came| match came == count || (!whole && came < count) {
                        true => Ok(()),
                        false => Err(format!(
                            "{came} of {count} came, after {steps} instructions"
                        )),
                    }),
                ))
            },
        );
    }
}

/// Receives all that is there; returns how many have come now.
fn drain(receiver: &Receiver, mut came: u64) -> Result<u64, String> {
    let mut buffer = Vec::new();
    loop {
        match receiver.try_recv_vec(&mut buffer) {
            Ok(()) if buffer == number(came) => came += 1,
            Ok(()) => return Err(format!("message {came} is damaged")),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(came),
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(came),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Looks at the first message, where there is one, and leaves it.
fn first(receiver: &Receiver, due: u64) -> Result<(), String> {
    let Ok(lent) = receiver.try_recv_loan() else {
        return Ok(());
    };
    let mut buffer = vec![0; lent.len()];
    let read = lent.read_at(0, &mut buffer);
    lent.leave();
    match read.is_ok() && buffer == number(due) {
        true => Ok(()),
        false => Err(format!("message {due} is damaged where it lies")),
    }
}

fn receiver(ends: &RefCell<Option<Receiver>>, part: impl Fn(&Receiver)) {
    part(ends.borrow().as_ref().expect("it is there"));
}

const RECEIVING: [(&str, Receives); 6] = [
    ("recv", |ends| {
        receiver(ends, |end| {
            for at in 0..MESSAGES {
                let mut buffer = [0; 256];
                let len = end.recv(&mut buffer).expect("ready");
                assert_eq!(buffer[..len], number(at));
            }
        });
    }),
    ("recv_vec, and what is not there", |ends| {
        receiver(ends, |end| {
            let mut buffer = Vec::new();
            (0..READY).for_each(|_| end.recv_vec(&mut buffer).expect("ready"));
            let _ = end.try_recv_vec(&mut buffer);
        });
    }),
    ("recv_loan", |ends| {
        receiver(ends, |end| {
            end.recv_loan().expect("ready").leave();
            for at in 0..MESSAGES {
                let lent = end.recv_loan().expect("ready");
                let mut buffer = vec![0; lent.len()];
                lent.read_at(0, &mut buffer).expect("inside");
                assert_eq!(buffer, number(at));
            }
        });
    }),
    ("recv_batch", |ends| {
        receiver(ends, |end| {
            let mut batch = Batch::new();
            assert!(end.recv_batch(&mut batch, 4).expect("ready") >= 4);
            assert!(batch.iter().zip(0..).all(|(bytes, at)| bytes == number(at)));
        });
    }),
    ("recv, done", |ends| {
        receiver(ends, |end| {
            end.recv(&mut [0; 256]).expect("ready");
            end.done().expect("told");
            end.recv(&mut [0; 256]).expect("ready");
            end.done().expect("told");
        });
    }),
    ("recv, close", |ends| {
        let end = ends.borrow_mut().take().expect("it is there");
        end.recv(&mut [0; 256]).expect("ready");
        drop(end);
    }),
];

pub(crate) fn of_receiving(lab: &mut Lab) {
    for (what, operation) in RECEIVING {
        let states = lab.count(2_000, 80_000, 800_000);
        each_state(
            lab,
            &format!("{what}: a sender looks"),
            states,
            |eager, stop| {
                let (sender, end) = options().pair().expect("a pair");
                (0..READY).for_each(|at| sender.send(&number(at)).expect("room"));
                let ends = RefCell::new(Some(end));
                let mut sent = Ok(READY);
                let steps = single_step(
                    || operation(&ends),
                    |step| {
                        if let (Ok(count), true) = (&sent, eager) {
                            sent = send_more(&sender, *count);
                        }
                        step < stop
                    },
                )?;
                let sent = sent.and_then(|count| send_more(&sender, count));
                // Sixteen fit, and what was taken: what lay ready, and perhaps one more.
                Ok((
                    steps,
                    sent.and_then(|count| match count <= 16 + READY + 1 {
                        true => Ok(()),
                        false => Err(format!("{count} were sent, where 16 fit")),
                    }),
                ))
            },
        );
    }
}

fn send_more(sender: &Sender, mut count: u64) -> Result<u64, String> {
    loop {
        match sender.try_send(&number(count)) {
            Ok(()) => count += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(count),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// A writer and its reader, both here.
fn cast(when_full: WhenFull) -> (Broadcaster, Subscriber) {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let reader = std::thread::spawn(|| Options::new().subscribe_over(theirs));
    let writer = casts::options(when_full).broadcast().expect("memory");
    writer.add(ours).expect("it comes");
    let reader = reader.join().expect("no panic").expect("taken in");
    // A thread that was waited for may still be on its way out, and who forks is one.
    let threads = || std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    while threads() > 1 {
        std::thread::yield_now();
    }
    (writer, reader)
}

pub(crate) fn of_broadcasting(lab: &mut Lab) {
    for when_full in [WhenFull::Block, WhenFull::DropOldest] {
        for full in [false, true] {
            let filled = if full { 15 } else { 0 };
            let what = format!("broadcast, {when_full:?}, {filled} before: a reader looks");
            let states = lab.count(2_000, 50_000, 500_000);
            each_state(lab, &what, states, |eager, stop| {
                let (writer, reader) = cast(when_full);
                (0..filled).for_each(|at| writer.send(&small(at)).expect("room"));
                let mut seen = Ok(0);
                let steps = single_step(
                    || (filled..filled + 3).for_each(|at| drop(writer.try_send(&small(at)))),
                    |step| {
                        if let (Ok(came), true) = (&seen, eager) {
                            seen = hear(&reader, *came);
                        }
                        step < stop
                    },
                )?;
                let seen = seen.and_then(|came| hear(&reader, came));
                let all = filled + 3;
                Ok((
                    steps,
                    seen.and_then(|came| match came <= all && came >= filled {
                        true => Ok(()),
                        false => Err(format!("{came} of {all} came")),
                    }),
                ))
            });
        }
    }
    of_hearing(lab);
}

fn of_hearing(lab: &mut Lab) {
    let states = lab.count(2_000, 50_000, 500_000);
    each_state(
        lab,
        "broadcast, receive: the writer looks",
        states,
        |eager, stop| {
            let (writer, reader) = cast(WhenFull::Block);
            (0..READY).for_each(|at| writer.send(&small(at)).expect("room"));
            let mut sent = Ok(READY);
            let more = |count: u64| {
                let mut count = count;
                loop {
                    match writer.try_send(&small(count)) {
                        Ok(()) => count += 1,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                        Err(error) => return Err(error.to_string()),
                    }
                }
            };
            let receive = || {
                let mut buffer = Vec::new();
                for at in 0..READY {
                    let received = reader.try_recv_vec(&mut buffer).expect("ready");
                    assert_eq!(received, Received::Message(buffer.len()));
                    assert_eq!(buffer, small(at));
                }
            };
            let steps = single_step(receive, |step| {
                if let (Ok(count), true) = (&sent, eager) {
                    sent = more(*count);
                }
                step < stop
            })?;
            let sent = sent.and_then(more);
            Ok((
                steps,
                sent.and_then(|count| match count <= 16 + READY {
                    true => Ok(()),
                    false => Err(format!("{count} were sent, where 16 fit")),
                }),
            ))
        },
    );
}

/// One that stands in its slot or beside, by turns.
fn small(at: u64) -> Vec<u8> {
    message(at * 7)
}

/// Receives all that is there; returns how many have come or were missed.
fn hear(reader: &Subscriber, mut came: u64) -> Result<u64, String> {
    let mut buffer = Vec::new();
    loop {
        match reader.try_recv_vec(&mut buffer) {
            Ok(Received::Message(_)) if buffer == small(came) => came += 1,
            Ok(Received::Message(_)) => return Err(format!("message {came} is damaged")),
            Ok(Received::Missed(count)) => came += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(came),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Repeats a run until so many states were looked at. A run is told whether to look with all it has
/// or only at what lies first, and after how many instructions its process is killed.
fn each_state(
    lab: &mut Lab,
    what: &str,
    states: u64,
    run: impl Fn(bool, u64) -> Result<(u64, Result<(), String>), String>,
) {
    let mut tally = Tally::new("R1", what);
    let (mut looked, mut runs, mut longest) = (0, 0, 0);
    while looked < states {
        let (eager, whole) = (runs % 2 == 0, runs % 4 < 2);
        let stop = if whole || longest == 0 {
            u64::MAX
        } else {
            1 + lab.below(longest)
        };
        match run(eager, stop) {
            Err(reason) if runs == 0 => {
                tally.skip(reason);
                break;
            }
            Err(reason) => tally.trial(Err(reason)),
            Ok((steps, outcome)) => {
                longest = longest.max(steps);
                looked += steps;
                match outcome {
                    Ok(()) => (0..steps).for_each(|_| tally.trial(Ok(()))),
                    Err(reason) => tally.trial(Err(reason)),
                }
            }
        }
        runs += 1;
        if tally.failures > 100 {
            break;
        }
    }
    tally.note(format!("{runs} runs, up to {longest} instructions"));
    lab.enter(tally);
}
