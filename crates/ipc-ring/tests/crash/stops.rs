//! R6, R7 and R12: a death shows before anybody reaps it, a stop is no death, and nothing is left.

use crate::deaths::{LIMIT, message, options};
use ipc_ring::{Channel, ErrorKind};
use ipc_testkit::Snapshot;
use ipc_testkit::crash::{Forked, Lab, Tally, stop_and_continue};
use std::time::{Duration, Instant};

/// A channel with a copy of this process, which plays `part` at its end.
fn with_a_copy(part: impl FnOnce(&Channel)) -> (Channel, Forked) {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let mut ours = Some(ours);
    let copy = Forked::new(|| {
        drop(ours.take());
        let socket = theirs.try_clone().expect("a copy");
        part(&options().over(socket).expect("met"));
    });
    drop(theirs);
    let channel = options().over(ours.take().expect("ours")).expect("met");
    (channel, copy)
}

pub(crate) fn a_death_shows_unreaped(lab: &mut Lab) {
    let mut tally = Tally::new("R6", "a peer that nobody has reaped is seen to be dead");
    for trial in 0..lab.count(20, 1_000, 10_000) {
        let (channel, copy) = with_a_copy(|channel| {
            channel.sender().send(b"here").expect("room");
            let _ = channel.receiver().recv(&mut [0; 8]);
        });
        channel.receiver().recv(&mut [0; 8]).expect("it is there");
        copy.kill_unreaped();
        let killed = Instant::now();
        let outcome = match trial % 2 {
            0 => channel
                .receiver()
                .recv_timeout(&mut [0; 8], LIMIT)
                .map(drop),
            _ => (0..18).try_for_each(|_| channel.sender().send_timeout(&[1; 8], LIMIT)),
        };
        tally.time(killed.elapsed());
        tally.trial(match outcome {
            Err(error) if error.kind() == ErrorKind::PeerDied => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    lab.enter(tally);
}

pub(crate) fn a_stop_is_no_death(lab: &mut Lab) {
    const MESSAGES: u64 = 400;
    let mut tally = Tally::new("R7", "a sender, and a receiver, stopped and continued");
    for trial in 0..lab.count(10, 200, 2_000) {
        let sends = trial % 2 == 0;
        let (channel, copy) = with_a_copy(|channel| {
            let mut buffer = Vec::new();
            for number in 0..MESSAGES {
                if sends {
                    channel.sender().send(&message(number)).expect("room comes");
                } else {
                    channel.receiver().recv_vec(&mut buffer).expect("one comes");
                    assert_eq!(buffer, message(number));
                }
            }
            // Our end stays until the other has closed.
            let _ = channel.receiver().recv_vec(&mut buffer);
        });
        let mut done = 0;
        let fatal = lab.below(MESSAGES);
        let mut buffer = Vec::new();
        let mut go_on = |timeout| match sends {
            true => channel
                .receiver()
                .recv_vec_timeout(&mut buffer, timeout)
                .map(|()| {
                    assert_eq!(buffer, message(done));
                    done += 1;
                    done
                }),
            false => channel
                .sender()
                .send_timeout(&message(done), timeout)
                .map(|()| {
                    done += 1;
                    done
                }),
        };
        let mut outcome = Ok(0);
        while outcome.as_ref().is_ok_and(|&done| done < fatal) {
            outcome = go_on(LIMIT);
        }
        if outcome.is_ok() {
            // All that it had sent or has room for, and then nothing: not an end.
            outcome = stop_and_continue(&copy, || {
                loop {
                    match go_on(Duration::from_millis(2)) {
                        Ok(done) if done == MESSAGES => return Ok(done),
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(0),
                        Err(error) => return Err(error),
                    }
                }
            });
        }
        while outcome.as_ref().is_ok_and(|&done| done < MESSAGES) {
            outcome = go_on(LIMIT);
        }
        drop(channel);
        let finished = copy.finished();
        tally.trial(match outcome {
            Ok(_) if finished => Ok(()),
            other => Err(format!("{other:?}, the copy's part is done: {finished}")),
        });
    }
    lab.enter(tally);
}

pub(crate) fn nothing_is_left(lab: &mut Lab) {
    let mut tally = Tally::new("R12", "what stays of channels whose peer was killed");
    let mut before = None;
    for trial in 0..lab.count(50, 2_000, 20_000) {
        let (channel, copy) = with_a_copy(|channel| {
            for number in 0.. {
                if channel.sender().send(&message(number)).is_err() {
                    return;
                }
            }
        });
        channel
            .receiver()
            .recv_vec(&mut Vec::new())
            .expect("one comes");
        copy.kill();
        drop(channel);
        match &before {
            // The first makes what stays for all: buffers, a mask.
            None => before = Some(Snapshot::take()),
            Some(before) => {
                let leaks = if trial % 10 == 0 {
                    before.leaks_until_now()
                } else {
                    Vec::new()
                };
                tally.trial(match leaks.is_empty() {
                    true => Ok(()),
                    false => Err(leaks.join(", ")),
                });
            }
        }
    }
    lab.enter(tally);
}
