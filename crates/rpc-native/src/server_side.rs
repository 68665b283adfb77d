//! The server's side of a connection as a state machine: no socket, no clock, no lock.

mod came;

use crate::client_side::Verdict;
use crate::frame::{self, Behind, CallHead, HEADER_BYTES, Kind, flag};
use crate::limits::Limits;
use crate::link::Link;
use bytes::{BufMut, Bytes, BytesMut};
use rpc_core::{Code, Metadata, Status};
use std::time::Instant;

/// What would append an answer, where there is none.
pub(crate) type NoAnswer = fn(&mut BytesMut) -> Result<(), Status>;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The client names a service; [`ServerSide::bound`] answers.
    Bind {
        binding: u16,
        codec: u8,
        fingerprint: [u8; 16],
        name: Bytes,
    },
    /// A call; [`ServerSide::finish`] ends it.
    Call(Incoming),
    /// One item of a stream of arguments.
    Message(u32, Bytes),
    /// No more items follow.
    End(u32),
    /// The client has given the call up.
    Cancelled(u32),
    /// What was waited for may be there: credit for this stream, or for all (0).
    Credit(u32),
}

/// A call that came.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Its number; 0 for a oneway call.
    pub(crate) call: u32,
    pub(crate) head: CallHead,
    /// Its message, where it is not a stream of them.
    pub(crate) message: Option<Bytes>,
    /// What it counts against the connection's credit, to be given back when it is over.
    pub(crate) cost: u32,
    /// When it came: its time runs from here, also while it waits for others.
    pub(crate) came: Instant,
}

#[derive(Debug, Default)]
struct Slot {
    active: bool,
    /// Whether the client may still send items.
    receiving: bool,
    send_credit: i64,
    allowed: i64,
    owed: u32,
    cost: u32,
}

#[derive(Debug)]
pub(crate) struct ServerSide {
    pub(crate) link: Link,
    slots: Vec<Slot>,
    /// Calls and oneway calls that are not over.
    pub(crate) under_way: u32,
    oneways: u32,
    /// Which numbers of services were used.
    named: Vec<bool>,
    /// Oneway calls that were dropped because too many run.
    pub(crate) dropped_oneways: u64,
}

impl ServerSide {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            link: Link::new(limits, now),
            slots: Vec::new(),
            under_way: 0,
            oneways: 0,
            named: Vec::new(),
            dropped_oneways: 0,
        }
    }

    /// What the bytes that came say next; an error ends the connection.
    pub(crate) fn next_event(&mut self, now: Instant) -> Result<Option<Event>, Status> {
        loop {
            let Some(frame) = self.link.next_frame(now)? else {
                return Ok(None);
            };
            let event = match frame.kind {
                Kind::Hello => None,
                Kind::Bind => Some(self.bind_came(frame.payload)?),
                Kind::Call => self.call_came(frame, now)?,
                Kind::Message => self.message_came(frame)?,
                Kind::End => self.end_came(frame.stream)?,
                Kind::Cancel => self.cancel_came(frame.stream)?,
                Kind::Credit => Some(self.credit_came(frame)?),
                _ => return Err(self.link.violation("a client does not send this frame")),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// The word on a service; `text` is the contract where that is another one.
    pub(crate) fn bound(&mut self, binding: u16, verdict: Verdict, text: &str) {
        frame::begin(&mut self.link.output, Kind::Bound, 0, 0, |out| {
            out.put_u16_le(binding);
            out.put_u8(verdict as u8);
            out.put_u8(0);
            out.put_slice(text.as_bytes());
        });
    }

    /// Ends a call with its answer, which `fill` appends, or as much of it as it does not say to
    /// be sent behind; whether that is what the client is told.
    pub(crate) fn finish<B: Behind>(
        &mut self,
        call: u32,
        metadata: &Metadata,
        outcome: Result<impl FnOnce(&mut BytesMut) -> Result<B, Status>, Status>,
    ) -> bool {
        if self.free(call).is_none() || self.link.ended.is_some() {
            return false;
        }
        let max = self
            .link
            .theirs
            .map_or(0, |theirs| theirs.max_message_bytes) as usize;
        let at = self.link.output.len();
        let failure = match outcome {
            Ok(fill) => {
                let flags = if metadata.is_empty() {
                    0
                } else {
                    flag::METADATA
                };
                let (mut filled, mut bytes, mut behind) = (Ok(()), 0, 0);
                frame::begin(&mut self.link.output, Kind::Return, flags, call, |out| {
                    out.put_u8(Code::Ok as u8);
                    if flags != 0 {
                        frame::write_metadata(metadata, out);
                    }
                    let before = out.len();
                    filled = fill(out).map(|rest| behind = rest.bytes());
                    bytes = out.len() - before + behind;
                    behind
                });
                match filled {
                    Ok(()) if bytes <= max => return true,
                    Ok(()) => frame::too_large(bytes, max as u32),
                    Err(status) => status,
                }
            }
            Err(status) => status,
        };
        self.link.output.truncate(at);
        let flags = if failure.did_not_run() {
            flag::NOT_RUN
        } else {
            0
        };
        frame::begin(&mut self.link.output, Kind::Return, flags, call, |out| {
            // A failure is never told as success, whatever the handler put into it.
            match failure.code() {
                Code::Ok => frame::write_failure(&Status::bare(Code::Unknown), out),
                _ => frame::write_failure(&failure, out),
            }
        });
        false
    }

    /// Ends all calls that run: the server has no more time for them.
    pub(crate) fn finish_all(&mut self, status: &Status) {
        for call in 1..=u32::try_from(self.slots.len()).unwrap_or(u32::MAX) {
            let failed = Err::<NoAnswer, _>(status.clone());
            self.finish(call, &Metadata::new(), failed);
        }
    }

    /// A oneway call is over.
    pub(crate) fn oneway_done(&mut self, cost: u32) {
        self.oneways = self.oneways.saturating_sub(1);
        self.under_way = self.under_way.saturating_sub(1);
        self.link.consumed(cost);
    }

    /// Sends one item of a stream of answers; false where it has to wait for credit.
    pub(crate) fn message<B: Behind>(
        &mut self,
        call: u32,
        fill: impl FnOnce(&mut BytesMut) -> Result<B, Status>,
    ) -> Result<bool, Status> {
        if let Some(status) = &self.link.ended {
            return Err(status.clone());
        }
        let max = self
            .link
            .theirs
            .map_or(0, |theirs| theirs.max_message_bytes);
        let full = self.link.is_full();
        let Some(slot) = slot(&mut self.slots, call).filter(|slot| slot.active) else {
            return Err(Status::bare(Code::Cancelled));
        };
        if slot.send_credit <= 0 || self.link.send_credit <= 0 || full {
            return Ok(false);
        }
        let sent = frame::send_message(&mut self.link.output, call, max, fill)?;
        slot.send_credit -= i64::from(sent);
        self.link.send_credit -= i64::from(sent);
        Ok(true)
    }

    /// An item that was received has been taken.
    pub(crate) fn consumed(&mut self, call: u32, message_bytes: usize) {
        let bytes = frame::cost(message_bytes);
        let window = self.link.limits.stream_credit_bytes;
        if let Some(slot) = slot(&mut self.slots, call).filter(|slot| slot.active) {
            slot.owed = slot.owed.saturating_add(bytes);
            if slot.owed >= window.div_ceil(2) && slot.receiving {
                let owed = std::mem::take(&mut slot.owed);
                slot.allowed += i64::from(owed);
                self.link.write_credit(call, owed);
            }
        }
        self.link.consumed(bytes);
    }

    /// Whether this call has not been ended.
    pub(crate) fn runs(&self, call: u32) -> bool {
        let index = (call as usize).checked_sub(1);
        index.is_some_and(|index| self.slots.get(index).is_some_and(|slot| slot.active))
    }

    /// Forgets a call that is over; `None` where there is none.
    fn free(&mut self, call: u32) -> Option<()> {
        let slot = slot(&mut self.slots, call).filter(|slot| slot.active)?;
        let cost = std::mem::take(slot).cost;
        self.under_way -= 1;
        self.link.consumed(cost);
        Some(())
    }

    /// A call runs, whose number is free and at most the next one.
    fn seat(&mut self, call: u32, receiving: bool, cost: u32) {
        if call as usize > self.slots.len() {
            self.slots.push(Slot::default());
        }
        let send_credit = self.link.theirs.map_or(0, |theirs| theirs.stream_credit);
        self.slots[call as usize - 1] = Slot {
            active: true,
            receiving,
            send_credit: i64::from(send_credit),
            allowed: i64::from(self.link.limits.stream_credit_bytes),
            owed: 0,
            cost,
        };
        self.under_way += 1;
    }

    /// Takes a call that came in one frame alone, in so many bytes; false where that is for the
    /// usual way to judge, and then nothing has been done.
    pub(crate) fn called_alone(
        &mut self,
        call: u32,
        message_bytes: usize,
        bytes: usize,
        now: Instant,
    ) -> bool {
        let limits = &self.link.limits;
        let fits = message_bytes <= limits.max_message_bytes as usize
            && call <= limits.max_calls
            && call as usize <= self.slots.len() + 1;
        let takes = self.link.takes_alone(bytes) && self.link.may_be_charged();
        if !fits || !takes || self.link.draining || self.runs(call) {
            return false;
        }
        let cost = frame::cost(bytes - HEADER_BYTES);
        self.link.heard(now);
        self.link.took_alone();
        if self.link.charge(cost).is_ok() {
            self.seat(call, false, cost);
        }
        true
    }
}

fn slot(slots: &mut [Slot], call: u32) -> Option<&mut Slot> {
    slots.get_mut((call as usize).checked_sub(1)?)
}
