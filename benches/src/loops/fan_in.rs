//! The loops of a fan-in: several sending processes, one receiver.

use std::io;

use super::{Case, Rig};
use crate::{
    calls::Flow,
    cost,
    family::Endpoint,
    fan_in::{SENDERS, STAMP_BYTES, share, window_of_each},
    payload,
    protocol::SliceReport,
};

/// A sequence number says which sender counted it: the number of the sender stands on top.
const SENDER_SHIFT: u32 = 56;

impl Rig {
    /// What a sender besides the client does in a slice, at the client's cues.
    pub(super) fn other_sender(
        &mut self,
        end: &mut dyn Endpoint,
        case: &Case,
    ) -> io::Result<SliceReport> {
        let mut report = SliceReport::default();
        self.stage.await_cue()?;
        report.verified = self.send_warm(end, case)?;
        self.stage.await_cue()?;
        let before = cost::begin(false)?;
        self.send_share(end, case)?;
        report.usage = cost::end(before, false)?;
        // An answer now would disturb the probe after the slice.
        self.stage.await_cue()?;
        Ok(report)
    }

    /// The first message of each sender, which the receiver compares byte by byte.
    pub(super) fn warm_senders(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<bool> {
        self.stage.cue()?;
        self.send_warm(end, case)
    }

    /// The client's part of the timed messages, while the others send theirs.
    pub(super) fn first_share(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        self.stage.cue()?;
        self.send_share(end, case)
    }

    fn send_warm(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<bool> {
        self.sequence = stamped(case.sender, 0);
        if case.verifies {
            payload::fill(&mut self.out, self.sequence);
        }
        end.send(&self.out)?;
        if case.calls {
            end.recv(&mut self.back)?;
            if case.verifies {
                payload::compare(&self.back, self.sequence)?;
            }
        }
        Ok(case.verifies)
    }

    fn send_share(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        let window = window_of_each(case.window);
        for number in 0..share(case.slice.messages, case.sender) {
            if number > 0 && number.is_multiple_of(window) {
                self.stage.wait_received_from(case.sender, number)?;
            }
            self.sequence += 1;
            payload::stamp(&mut self.out, self.sequence);
            end.send(&self.out)?;
            if case.calls {
                end.recv(&mut self.back)?;
                payload::check(&self.back, self.sequence)?;
            }
        }
        Ok(())
    }

    /// One message of each sender, in whatever order they come.
    pub(super) fn warm_receiver(
        &mut self,
        end: &mut dyn Endpoint,
        case: &Case,
    ) -> io::Result<bool> {
        if end.serve(Flow::Calls, SENDERS as u32)? {
            return Ok(case.verifies);
        }
        let mut seen = [false; SENDERS];
        for _ in 0..SENDERS {
            end.recv(&mut self.back)?;
            if case.calls {
                end.send(&self.back)?;
            }
            if !case.verifies {
                continue;
            }
            let back = &self.back;
            let is_from = |sender: usize| payload::compare(back, stamped(sender, 0)).is_ok();
            let from = (0..SENDERS).find(|&sender| !seen[sender] && is_from(sender));
            let from = from.ok_or_else(|| io::Error::other("a first message arrived altered"))?;
            seen[from] = true;
        }
        Ok(case.verifies)
    }

    /// All messages of all senders: each sender's in its order, none lost, none twice.
    pub(super) fn gather(&mut self, end: &mut dyn Endpoint, case: &Case) -> io::Result<()> {
        let window = window_of_each(case.window);
        let mut counts = [0_u32; SENDERS];
        for _ in 0..case.slice.messages {
            end.recv(&mut self.back)?;
            let sender = sender_of(&self.back)?;
            counts[sender] += 1;
            payload::check(&self.back, stamped(sender, counts[sender]))?;
            if case.calls {
                end.send(&self.back)?;
            }
            if counts[sender].is_multiple_of(window) {
                self.stage.acknowledge_from(sender, counts[sender])?;
            }
        }
        cost::mark_end(case.slice.counted);
        self.stage.acknowledge(case.slice.messages)
    }
}

fn stamped(sender: usize, number: u32) -> u64 {
    (sender as u64 + 1) << SENDER_SHIFT | u64::from(number)
}

fn sender_of(message: &[u8]) -> io::Result<usize> {
    let head = message.first_chunk::<STAMP_BYTES>();
    let stamp = u64::from_le_bytes(*head.ok_or(io::ErrorKind::InvalidData)?);
    let sender = (stamp >> SENDER_SHIFT) as usize;
    if (1..=SENDERS).contains(&sender) {
        Ok(sender - 1)
    } else {
        Err(io::Error::other("a message of no sender"))
    }
}
