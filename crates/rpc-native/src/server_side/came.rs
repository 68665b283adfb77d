//! What a frame of a client's comes to, once its rules are checked.

use super::{Event, Incoming, NoAnswer, ServerSide, Slot, slot};
use crate::frame::{CallHead, Frame, flag};
use bytes::{Buf, Bytes};
use rpc_core::{Code, Metadata, Status};
use std::time::Instant;

impl ServerSide {
    pub(super) fn bind_came(&mut self, mut payload: Bytes) -> Result<Event, Status> {
        if payload.len() < 20 {
            return Err(self.link.violation("a service's name is cut short"));
        }
        let (binding, codec) = (payload.get_u16_le(), payload.get_u8());
        let length = usize::from(payload.get_u8());
        let mut fingerprint = [0; 16];
        payload.copy_to_slice(&mut fingerprint);
        if payload.len() != length || binding == 0 || binding > self.link.limits.max_bindings {
            return Err(self
                .link
                .violation("a service's name or number is out of bounds"));
        }
        // Each answer may be a whole contract: they are as few as the numbers.
        let index = usize::from(binding) - 1;
        self.named.resize(self.named.len().max(index + 1), false);
        if std::mem::replace(&mut self.named[index], true) {
            return Err(self.link.violation("a service's number is in use"));
        }
        Ok(Event::Bind {
            binding,
            codec,
            fingerprint,
            name: payload,
        })
    }

    pub(super) fn call_came(
        &mut self,
        frame: Frame,
        came: Instant,
    ) -> Result<Option<Event>, Status> {
        let cost = frame.cost();
        self.link.charge(cost)?;
        let (call, flags, mut payload) = (frame.stream, frame.flags, frame.payload);
        let head =
            CallHead::read(flags, &mut payload).map_err(|wrong| self.link.violation(wrong))?;
        let (oneway, end) = (flags & flag::ONEWAY != 0, flags & flag::END != 0);
        if payload.len() > self.link.limits.max_message_bytes as usize {
            return Err(self.link.violation("a message is longer than the limit"));
        }
        if oneway != (call == 0) || (oneway && !end) || (!end && !payload.is_empty()) {
            return Err(self.link.violation("a call that contradicts itself"));
        }
        let incoming = Incoming {
            call,
            head,
            message: end.then_some(payload),
            cost,
            came,
        };
        if oneway {
            if self.oneways >= self.link.limits.max_oneways || self.link.draining {
                self.dropped_oneways += 1;
                self.link.consumed(cost);
                return Ok(None);
            }
            self.oneways += 1;
            self.under_way += 1;
            return Ok(Some(Event::Call(incoming)));
        }
        if call > self.link.limits.max_calls || call as usize > self.slots.len() + 1 {
            return Err(self
                .link
                .violation("a call's number is beyond the next free one"));
        }
        if self.runs(call) {
            return Err(self.link.violation("a call's number is in use"));
        }
        self.seat(call, !end, cost);
        if self.link.draining {
            let refusal = Status::new(Code::Unavailable, "the server is ending").before_running();
            self.finish(call, &Metadata::new(), Err::<NoAnswer, _>(refusal));
            return Ok(None);
        }
        Ok(Some(Event::Call(incoming)))
    }

    /// The slot of a frame for a call: an error for a number that never was, `None` for a call
    /// that was over when the frame was sent.
    fn known(&mut self, call: u32) -> Result<Option<&mut Slot>, Status> {
        if call == 0 || call as usize > self.slots.len() {
            return Err(self.link.violation("a frame for a call that never was"));
        }
        Ok(slot(&mut self.slots, call).filter(|slot| slot.active))
    }

    pub(super) fn message_came(&mut self, frame: Frame) -> Result<Option<Event>, Status> {
        let cost = frame.cost();
        self.link.charge(cost)?;
        if frame.payload.len() > self.link.limits.max_message_bytes as usize {
            return Err(self.link.violation("a message is longer than the limit"));
        }
        let Some(slot) = self.known(frame.stream)? else {
            self.link.consumed(cost);
            return Ok(None);
        };
        if !slot.receiving {
            return Err(self.link.violation("an item after the last one"));
        }
        if slot.allowed <= 0 {
            return Err(self.link.violation("the peer sent more than its credit"));
        }
        slot.allowed -= i64::from(cost);
        Ok(Some(Event::Message(frame.stream, frame.payload)))
    }

    pub(super) fn end_came(&mut self, call: u32) -> Result<Option<Event>, Status> {
        let receiving = self.known(call)?;
        match receiving.map(|slot| std::mem::take(&mut slot.receiving)) {
            None => Ok(None),
            Some(true) => Ok(Some(Event::End(call))),
            Some(false) => Err(self.link.violation("a stream that ends twice")),
        }
    }

    pub(super) fn cancel_came(&mut self, call: u32) -> Result<Option<Event>, Status> {
        match self.known(call)? {
            None => Ok(None),
            Some(slot) => {
                slot.receiving = false;
                Ok(Some(Event::Cancelled(call)))
            }
        }
    }

    pub(super) fn credit_came(&mut self, frame: Frame) -> Result<Event, Status> {
        let call = frame.stream;
        if call > 0 {
            let window = self.link.theirs.map_or(0, |theirs| theirs.stream_credit);
            let credit = self.known(call)?.map(|slot| slot.send_credit);
            if let Some(credit) = credit {
                let credit = self.link.credited(&frame, credit, window)?;
                if let Some(slot) = slot(&mut self.slots, call) {
                    slot.send_credit = credit;
                }
            }
        }
        Ok(Event::Credit(call))
    }
}
