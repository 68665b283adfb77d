//! The client's side of a connection as a state machine: no socket, no clock, no lock.

use crate::frame::{self, Behind, CallHead, Kind, cost, flag};
use crate::limits::Limits;
use crate::link::Link;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use rpc_core::{Code, Metadata, Status};
use std::time::Instant;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The server has greeted: calls can be made.
    Greeted,
    /// The server's word on a service.
    Bound(u16, Verdict, Bytes),
    /// One item of a stream of answers.
    Message(u32, Bytes),
    /// A call is over.
    Returned(u32, Result<(Metadata, Bytes), Status>),
    /// What was waited for may be there: credit for this stream, or for all (0).
    Credit(u32),
    /// The server takes no calls any more.
    Draining,
}

/// What a server says of a service that a client names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verdict {
    /// Calls can be made.
    Good = 0,
    /// There is no such service.
    Unknown = 1,
    /// The contract is another one; its text follows.
    OtherContract = 2,
    /// No such codec.
    UnknownCodec = 3,
}

/// A call under way.
#[derive(Debug, Default)]
struct Slot {
    active: bool,
    /// The call is over, and its number is not given back yet.
    returned: bool,
    /// Whether the client may still send items.
    sending: bool,
    cancelled: bool,
    /// Nobody waits for its end.
    abandoned: bool,
    send_credit: i64,
    /// What the server may still send on this stream.
    allowed: i64,
    owed: u32,
}

#[derive(Debug)]
pub(crate) struct ClientSide {
    pub(crate) link: Link,
    slots: Vec<Slot>,
    /// Numbers of calls that are over.
    free: Vec<u32>,
    next_binding: u16,
    /// Numbers of services that the server has not answered.
    asked: Vec<u16>,
    pub(crate) under_way: u32,
    /// Numbers that came back since the driver last looked.
    pub(crate) freed: usize,
}

impl ClientSide {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            link: Link::new(limits, now),
            slots: Vec::new(),
            free: Vec::new(),
            next_binding: 0,
            asked: Vec::new(),
            under_way: 0,
            freed: 0,
        }
    }

    /// What the bytes that came say next; an error ends the connection.
    pub(crate) fn next_event(&mut self, now: Instant) -> Result<Option<Event>, Status> {
        loop {
            let Some(frame) = self.link.next_frame(now)? else {
                return Ok(None);
            };
            if let Some(event) = self.event(frame)? {
                return Ok(Some(event));
            }
        }
    }

    fn event(&mut self, frame: frame::Frame) -> Result<Option<Event>, Status> {
        match frame.kind {
            Kind::Hello => Ok(Some(Event::Greeted)),
            Kind::Bound => self.bound(frame.payload).map(Some),
            Kind::Message => self.message_came(frame),
            Kind::Return => self.returned(frame),
            Kind::Credit => self.credit_came(frame).map(Some),
            Kind::Drain => Ok(Some(Event::Draining)),
            _ => Err(self.link.violation("a server does not send this frame")),
        }
    }

    /// Names a service; [`Event::Bound`] answers.
    pub(crate) fn bind(&mut self, name: &str, fingerprint: [u8; 16], codec: u8) -> u16 {
        self.next_binding = self.next_binding.wrapping_add(1);
        let binding = self.next_binding;
        self.asked.push(binding);
        let name = frame::clip(name, 255);
        frame::begin(&mut self.link.output, Kind::Bind, 0, 0, |out| {
            out.put_u16_le(binding);
            out.put_u8(codec);
            out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
            out.put_slice(&fingerprint);
            out.put_slice(name.as_bytes());
        });
        binding
    }

    /// Begins a call whose message, if it has one now, `fill` appends, or as much of it as it does
    /// not say to be sent behind. `None` where it has to wait for another call to end, or for
    /// credit.
    pub(crate) fn call<B: Behind>(
        &mut self,
        head: &CallHead,
        oneway: bool,
        end: bool,
        fill: impl FnOnce(&mut BytesMut) -> Result<B, Status>,
    ) -> Result<Option<u32>, Status> {
        self.usable()?;
        let Some(theirs) = self.link.theirs else {
            return Ok(None);
        };
        if self.link.send_credit <= 0 || self.link.is_full() {
            return Ok(None);
        }
        let call = if oneway {
            0
        } else if let Some(call) = self.free.pop() {
            call
        } else if self.slots.len() < theirs.max_calls.min(Limits::MAX_CALLS) as usize {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
        } else {
            return Ok(None);
        };
        let mut flags = head.flags();
        flags |= if end { flag::END } else { 0 };
        flags |= if oneway { flag::ONEWAY } else { 0 };
        let at = self.link.output.len();
        let (mut filled, mut message_bytes, mut behind) = (Ok(()), 0, 0);
        frame::begin(&mut self.link.output, Kind::Call, flags, call, |out| {
            head.write(out);
            let before = out.len();
            filled = fill(out).map(|rest| behind = rest.bytes());
            message_bytes = out.len() - before + behind;
            behind
        });
        if filled.is_ok() && message_bytes > theirs.max_message_bytes as usize {
            filled = Err(frame::too_large(message_bytes, theirs.max_message_bytes));
        }
        if let Err(status) = filled {
            self.link.output.truncate(at);
            if !oneway {
                self.free.push(call);
            }
            return Err(status.before_running());
        }
        let payload = self.link.output.len() - at - frame::HEADER_BYTES + behind;
        self.link.send_credit -= i64::from(cost(payload));
        if !oneway {
            self.under_way += 1;
            self.slots[call as usize - 1] = Slot {
                active: true,
                returned: false,
                sending: !end,
                cancelled: false,
                abandoned: false,
                send_credit: i64::from(theirs.stream_credit),
                allowed: i64::from(self.link.limits.stream_credit_bytes),
                owed: 0,
            };
        }
        Ok(Some(call))
    }

    /// Sends one item of a stream of arguments; false where it has to wait for credit.
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
        let Some(slot) = slot(&mut self.slots, call).filter(|slot| slot.active && slot.sending)
        else {
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

    /// Says that no more items follow.
    pub(crate) fn end(&mut self, call: u32) {
        if let Some(slot) = slot(&mut self.slots, call)
            && slot.active
            && std::mem::take(&mut slot.sending)
        {
            frame::begin(&mut self.link.output, Kind::End, 0, call, |_| {});
        }
    }

    /// Gives a call up. The server still returns.
    pub(crate) fn cancel(&mut self, call: u32) {
        if let Some(slot) = slot(&mut self.slots, call)
            && slot.active
            && !slot.cancelled
            && self.link.ended.is_none()
        {
            slot.cancelled = true;
            slot.sending = false;
            frame::begin(&mut self.link.output, Kind::Cancel, 0, call, |_| {});
        }
    }

    /// Nobody asks for this call any more: its number may be used again, at once or when the
    /// server has returned from a call that is given up.
    pub(crate) fn release(&mut self, call: u32) {
        self.cancel(call);
        if let Some(slot) = slot(&mut self.slots, call)
            && std::mem::take(&mut slot.returned)
        {
            self.free.push(call);
            self.freed += 1;
        } else if let Some(slot) = slot(&mut self.slots, call) {
            slot.abandoned = true;
        }
    }

    /// An item that was received has been taken.
    pub(crate) fn consumed(&mut self, call: u32, message_bytes: usize) {
        let bytes = cost(message_bytes);
        let window = self.link.limits.stream_credit_bytes;
        if let Some(slot) = slot(&mut self.slots, call).filter(|slot| slot.active) {
            slot.owed = slot.owed.saturating_add(bytes);
            if slot.owed >= window.div_ceil(2) && !slot.cancelled {
                let owed = std::mem::take(&mut slot.owed);
                slot.allowed += i64::from(owed);
                self.link.write_credit(call, owed);
            }
        }
        self.link.consumed(bytes);
    }

    /// Why no call can be made, if none can.
    pub(crate) fn usable(&self) -> Result<(), Status> {
        if let Some(status) = &self.link.ended {
            let text = format!("the connection has ended: {}", status.message());
            return Err(Status::new(Code::Unavailable, text).before_running());
        }
        if self.link.draining {
            let text = "the server takes no calls any more";
            return Err(Status::new(Code::Unavailable, text).before_running());
        }
        Ok(())
    }

    fn bound(&mut self, mut payload: Bytes) -> Result<Event, Status> {
        if payload.len() < 4 {
            return Err(self.link.violation("a word on a service is cut short"));
        }
        let binding = payload.get_u16_le();
        let Some(at) = self.asked.iter().position(|asked| *asked == binding) else {
            let wrong = "a word on a service that nobody asked for";
            return Err(self.link.violation(wrong));
        };
        self.asked.swap_remove(at);
        let verdict = match payload.get_u8() {
            0 => Verdict::Good,
            1 => Verdict::Unknown,
            2 => Verdict::OtherContract,
            3 => Verdict::UnknownCodec,
            _ => return Err(self.link.violation("an unknown word on a service")),
        };
        payload.advance(1);
        Ok(Event::Bound(binding, verdict, payload))
    }

    fn message_came(&mut self, frame: frame::Frame) -> Result<Option<Event>, Status> {
        let bytes = frame.cost();
        self.link.charge(bytes)?;
        match slot(&mut self.slots, frame.stream).filter(|slot| slot.active) {
            None => Err(self
                .link
                .violation("an item of a call that is not under way")),
            Some(slot) if slot.allowed <= 0 => {
                Err(self.link.violation("the peer sent more than its credit"))
            }
            Some(slot) if slot.cancelled => {
                self.link.consumed(bytes);
                Ok(None)
            }
            Some(slot) => {
                slot.allowed -= i64::from(bytes);
                Ok(Some(Event::Message(frame.stream, frame.payload)))
            }
        }
    }

    fn returned(&mut self, frame: frame::Frame) -> Result<Option<Event>, Status> {
        let call = frame.stream;
        let Some(slot) = slot(&mut self.slots, call).filter(|slot| slot.active) else {
            return Err(self
                .link
                .violation("a return of a call that is not under way"));
        };
        let abandoned = slot.abandoned;
        *slot = Slot {
            returned: !abandoned,
            ..Slot::default()
        };
        self.under_way -= 1;
        let outcome = frame::read_return(frame.flags, frame.payload)
            .map_err(|wrong| self.link.violation(wrong))?;
        if abandoned {
            self.free.push(call);
            self.freed += 1;
            return Ok(None);
        }
        Ok(Some(Event::Returned(call, outcome)))
    }

    /// Takes the end of a call that came in one frame alone, in so many bytes, and went well; false
    /// where that is for the usual way to judge, and then nothing has been done.
    pub(crate) fn returned_alone(&mut self, call: u32, bytes: usize) -> bool {
        if !self.link.takes_alone(bytes) {
            return false;
        }
        let Some(slot) = slot(&mut self.slots, call) else {
            return false;
        };
        if !slot.active || slot.abandoned {
            return false;
        }
        *slot = Slot {
            returned: true,
            ..Slot::default()
        };
        self.under_way -= 1;
        self.link.took_alone();
        true
    }

    fn credit_came(&mut self, frame: frame::Frame) -> Result<Event, Status> {
        let call = frame.stream;
        if call > 0 {
            let window = self.link.theirs.map_or(0, |theirs| theirs.stream_credit);
            if let Some(slot) = slot(&mut self.slots, call).filter(|slot| slot.active) {
                slot.send_credit = self.link.credited(&frame, slot.send_credit, window)?;
            }
        }
        Ok(Event::Credit(call))
    }
}

fn slot(slots: &mut [Slot], call: u32) -> Option<&mut Slot> {
    slots.get_mut((call as usize).checked_sub(1)?)
}
