//! The loops that time one message at a time, by the receiver's clock: the wake of a blocked
//! receiver, and a load at a fixed rate.

use std::{hint, io, thread, time::Duration};

use super::{Case, Rig};
use crate::{family::Endpoint, payload, stage};

/// How long the sender of a wake pauses, so that the receiver is surely blocked again.
const WAKE_PAUSE: Duration = Duration::from_micros(150);
/// A load sends 40,000 small messages a second; larger ones at up to half a gigabyte a second, so
/// that most mechanisms can follow. The same for every maker, or their latencies would not compare.
const LOAD_INTERVAL_NS: u64 = 25_000;
const LOAD_NS_PER_BYTE: u64 = 2;

/// A call is two messages and waits for the second: a load of calls is a quarter of that.
const CALL_INTERVALS: u64 = 4;

/// Nanoseconds from the intended time of one call of a load to that of the next.
pub(super) fn call_interval_ns(size: usize) -> u64 {
    CALL_INTERVALS * load_interval_ns(size)
}

/// Nanoseconds from the intended time of one message of a load to that of the next.
fn load_interval_ns(size: usize) -> u64 {
    LOAD_INTERVAL_NS + size as u64 * LOAD_NS_PER_BYTE
}

impl Rig {
    pub(super) fn wake(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        for number in 0..case.slice.messages {
            thread::sleep(WAKE_PAUSE);
            // The stamp of the last message must have been read before it is overwritten.
            self.stage.wait_received(number)?;
            self.sequence += 1;
            payload::stamp(&mut self.out, self.sequence);
            self.stage.stamp();
            end.send(&self.out)?;
        }
        Ok(())
    }

    pub(super) fn woken(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        for number in 1..=case.slice.messages {
            self.sequence += 1;
            end.recv(&mut self.back)?;
            self.laps.push(self.stage.since_stamp());
            if case.verifies {
                payload::check(&self.back, self.sequence)?;
            }
            self.stage.acknowledge(number)?;
        }
        Ok(())
    }

    /// Sends each message when it is due, or at once where that is past. A sender that was held up
    /// does not shift what follows: what a queue costs its users must show.
    pub(super) fn load(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        let interval = load_interval_ns(case.shape.size);
        let mut due = self.stage.begin_load();
        for number in 0..case.slice.messages {
            if number > 0 && number.is_multiple_of(case.window) {
                self.stage.wait_received(number)?;
            }
            self.sequence += 1;
            payload::stamp(&mut self.out, self.sequence);
            while stage::now() < due {
                hint::spin_loop();
            }
            end.send(&self.out)?;
            due += interval;
        }
        self.stage.wait_received(case.slice.messages)
    }

    /// Times each message of a load from when it was due.
    pub(super) fn loaded(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        let interval = load_interval_ns(case.shape.size);
        for number in 1..=case.slice.messages {
            self.sequence += 1;
            end.recv(&mut self.back)?;
            let due = u64::from(number - 1) * interval;
            self.laps.push(self.stage.since_begin(due));
            if case.verifies {
                payload::check(&self.back, self.sequence)?;
            }
            if number.is_multiple_of(case.window) || number == case.slice.messages {
                self.stage.acknowledge(number)?;
            }
        }
        Ok(())
    }
}
