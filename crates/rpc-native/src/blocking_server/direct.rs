//! A unary call that is served from where it came, and answers on their way to the client.

use super::BlockingSession;
use crate::alone::{self, Asked};
use crate::arriving::Arriving;
use crate::limits::Limits;
use crate::link::Link;
use crate::named::context;
use crate::server_side::ServerSide;
use crate::straight::{Message, straight_from};
use bytes::BytesMut;
use ipc_core::{ByteSink, ErrorKind, Until};
use rpc_core::{Came, Code, Codec, DirectRequest, Metadata, MethodDescriptor, Status, innermost};
use rpc_transport::Wire;
use std::time::Instant;

impl BlockingSession {
    /// Serves the call that the bytes which came are, if that is all they are, or its beginning,
    /// from where they stand, and the rest as it comes; whether the client is still there. `None`
    /// where they are something else, and then nothing has been done. The first of them came at
    /// one time and the last at another.
    pub(super) fn serve_alone(
        &mut self,
        length: usize,
        (first, last): (Instant, Instant),
    ) -> Result<Option<bool>, Status> {
        let came = &self.buffer[..length];
        let Some(Asked {
            call,
            head,
            message,
            whole,
        }) = self
            .waiting
            .is_empty()
            .then(|| alone::asked(came))
            .flatten()
        else {
            return Ok(None);
        };
        let Some((method, format)) = self.named.unary(&head) else {
            return Ok(None);
        };
        let message_bytes = message.len() + whole - length;
        let target = innermost(&self.served, method);
        if method.admit(message_bytes).is_err() || !target.serves_directly(method) {
            return Ok(None);
        }
        if !self.machine.called_alone(call, message_bytes, whole, last) {
            return Ok(None);
        }
        let until = self.frame_until(first);
        let codec = format.codec();
        let (wire, limits, machine) = (&self.wire, &self.limits, &mut self.machine);
        let mut give = |answer: &dyn rpc_core::Wire| {
            let answer = Message::Lent(answer);
            let ways = (wire, limits, &mut *machine);
            give(ways, call, &Metadata::new(), (method, codec), answer);
        };
        let mut request = DirectRequest {
            method,
            context: context(self.wire.peer(), &head, first),
            now: last,
            codec,
            message: Came::Whole(&[]),
            give: &mut give,
        };
        let (outcome, (missing, failed)) = if whole == length {
            request.message = Came::Whole(&self.buffer[message]);
            (target.serve_directly(&mut request), (0, None))
        } else {
            let memory = (&mut self.buffer[..], &mut self.spare);
            let mut arriving = Arriving::over((wire, until), memory, message, whole - length);
            request.message = Came::Arriving(&mut arriving);
            let outcome = target.serve_directly(&mut request);
            (outcome, arriving.finish())
        };
        match (failed, missing, outcome) {
            (Some(error), ..) if error.kind() == ErrorKind::TimedOut => {
                let text = "a frame took too long";
                let late = Status::new(Code::Unavailable, text);
                let status = self.machine.link.end(late);
                let _ = self.flush();
                return Err(status);
            }
            (Some(error), ..) => return Err(Status::from(error)),
            (None, 1.., _) => return Ok(Some(false)),
            (.., Some(Ok(()))) => {}
            (.., Some(Err(status))) => self.fail(call, status),
            (.., None) => self.fail(call, Status::bare(Code::Unimplemented).before_running()),
        }
        Ok(Some(true))
    }
}

/// Ends a call with an answer.
pub(super) fn give(
    (wire, limits, machine): (&Wire, &Limits, &mut ServerSide),
    call: u32,
    metadata: &Metadata,
    (method, codec): (&MethodDescriptor, &dyn Codec),
    answer: Message<'_>,
) {
    let straight = straight_from(wire, limits);
    let mut behind = 0;
    let fill = |out: &mut BytesMut| {
        behind = answer.append(codec, method, straight, out)?;
        Ok(behind)
    };
    if machine.finish(call, metadata, Ok(fill)) && behind > 0 {
        send_straight(&mut machine.link, wire, limits, codec, answer, behind);
    }
}

/// Sends a message of so many bytes behind what is to be written. Where the client takes nothing
/// for too long, the rest is dropped, and the connection has ended: nothing is left that somebody
/// would wait for again.
pub(super) fn send_straight(
    link: &mut Link,
    wire: &Wire,
    limits: &Limits,
    codec: &dyn Codec,
    message: Message<'_>,
    bytes: usize,
) {
    let mut stopped = None;
    let write = |head: &[u8], body: &[u8]| {
        let all = head.len() + body.len();
        if stopped.is_some() {
            return Ok(all);
        }
        let written = match wire.write_until(head, body, Until::Now) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wire.write_until(head, body, Until::after(limits.frame))
            }
            outcome => outcome,
        };
        Ok(written.unwrap_or_else(|error| {
            stopped = Some(error);
            all
        }))
    };
    let is_whole = message.send(codec, bytes, &mut link.output, write);
    if let Some(error) = stopped {
        link.forget_output();
        link.lost(Status::from(error));
    } else if is_whole {
        return;
    }
    // The client takes what follows for a part of it.
    wire.shut_down();
}
