//! The server without a runtime: the thread that reads a call runs it and answers it.

mod direct;

use self::direct::{give, send_straight};
use crate::alone;
use crate::codecs::Format;
use crate::named::{Named, context};
use crate::options::Options;
use crate::server_side::{Event, Incoming, NoAnswer, ServerSide};
use crate::straight::{Message, straight_from};
use bytes::Buf;
use ipc_core::{ByteSink, ByteSource, ErrorKind, Pollable, Until};
use rpc_core::{
    Body, Call, Channel, Code, Metadata, MethodDescriptor, Payload, PayloadStream, Served, Status,
    block_on,
};
use rpc_transport::{Seat, Wire};
use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

/// A client that is to be served by one thread, one call after the other.
///
/// A cancelled call runs to its end, and its answer is dropped; deadlines hold while a handler
/// waits.
pub struct BlockingSession {
    wire: Wire,
    /// Its place among those that its listener has accepted. Given back after the wire is closed.
    pub(crate) seat: Option<Seat>,
    /// The transport's own handshake is made.
    proven: bool,
    served: Served,
    machine: ServerSide,
    named: Named,
    /// Calls that came while another ran.
    waiting: VecDeque<Incoming>,
    /// The call that streams, if its client has given it up.
    cancelled: Option<u32>,
    buffer: Vec<u8>,
    /// Where long fields are put together.
    spare: Vec<u8>,
    limits: crate::Limits,
}

impl BlockingSession {
    pub(crate) fn new(wire: Wire, served: Served, options: &Options) -> Self {
        Self {
            wire,
            seat: None,
            proven: false,
            served,
            machine: ServerSide::new(options.limits.clone(), Instant::now()),
            named: Named::default(),
            waiting: VecDeque::new(),
            cancelled: None,
            buffer: vec![0; 64 * 1024],
            spare: Vec::new(),
            limits: options.limits.clone(),
        }
    }

    /// Serves until the client goes.
    ///
    /// # Errors
    /// [`Internal`](Code::Internal) where it broke the protocol's rules, and as the transport
    /// says.
    pub fn run(mut self) -> Result<(), Status> {
        while self.serve_next()? {}
        Ok(())
    }

    /// Waits for what comes next, and serves the calls in it; false when the client has gone.
    ///
    /// # Errors
    /// As [`run`](BlockingSession::run).
    pub fn serve_next(&mut self) -> Result<bool, Status> {
        if !self.proven {
            self.wire.handshake(Until::after(self.limits.handshake))?;
            self.proven = true;
        }
        // The first time it is the greeting that goes out.
        self.flush()?;
        let goes_on = self.turn(true)?;
        while let Some(incoming) = self.waiting.pop_front() {
            self.serve(incoming)?;
        }
        self.flush()?;
        Ok(goes_on)
    }

    /// Waits for what comes next and takes it in; false at the end. A call that comes alone is
    /// served from where it came, if none is under way.
    fn turn(&mut self, serves: bool) -> Result<bool, Status> {
        let until = match self.machine.link.wakes() {
            None => Until::Forever,
            Some(at) => Until::At(at),
        };
        let now = match self.wire.read_until(&mut self.buffer, until) {
            Ok(0) => return Ok(false),
            Ok(mut length) => {
                let now = Instant::now();
                let mut gathered = now;
                // A socket gives more at once where there is room for all.
                if !self.wire.writes_to_memory() {
                    let more = self.gather(length, now);
                    if more > length {
                        // Its time runs from when it began to come, and may be over.
                        gathered = Instant::now();
                    }
                    length = more;
                }
                if serves && let Some(goes_on) = self.serve_alone(length, (now, gathered))? {
                    return Ok(goes_on);
                }
                let length = self.gather(length, now);
                self.machine.link.receive(&self.buffer[..length], now);
                now
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                let now = Instant::now();
                self.machine.link.tick(now);
                self.flush()?;
                now
            }
            Err(error) => return Err(Status::from(error)),
        };
        loop {
            match self.machine.next_event(now) {
                Ok(None) => return Ok(true),
                Ok(Some(Event::Bind {
                    binding,
                    codec,
                    fingerprint,
                    name,
                })) => {
                    let word = (binding, codec, fingerprint, &name[..]);
                    self.named.bind(&mut self.machine, &self.served, word);
                }
                Ok(Some(Event::Call(incoming))) => self.waiting.push_back(incoming),
                Ok(Some(Event::Cancelled(call))) => self.give_up(call),
                Ok(Some(_)) => {}
                Err(status) => {
                    let _ = self.flush();
                    return Err(status);
                }
            }
        }
    }

    /// A call that has not begun is over at once.
    fn give_up(&mut self, call: u32) {
        let before = self.waiting.len();
        self.waiting.retain(|incoming| incoming.call != call);
        match before == self.waiting.len() {
            true => self.cancelled = Some(call),
            false => self.fail(call, Status::bare(Code::Cancelled).before_running()),
        }
    }

    fn serve(&mut self, incoming: Incoming) -> Result<(), Status> {
        let (number, cost) = (incoming.call, incoming.cost);
        self.cancelled = None;
        let target = self.named.target(&incoming);
        let checked = target.and_then(|(method, format)| {
            let Some(message) = incoming.message else {
                let text = format!("{}: a blocking server takes no stream", method.name);
                return Err(Status::new(Code::Unimplemented, text));
            };
            method
                .admit(message.len())
                .map(|()| (method, format, message))
        });
        let (method, format, message) = match checked {
            Ok(target) => target,
            Err(status) => {
                self.answered(number, cost, Err(status.before_running()));
                return Ok(());
            }
        };
        let call = Call {
            method,
            context: context(self.wire.peer(), &incoming.head, incoming.came),
            body: Body::One(Payload::Encoded(format.codec(), message)),
        };
        match block_on(self.served.call(call)) {
            Ok(reply) => match reply.body {
                Body::Many(items) => self.stream(number, method, format, items),
                Body::One(payload) => {
                    let message = Message::Owned(&payload);
                    let told = (method, format.codec());
                    match number {
                        0 => self.machine.oneway_done(cost),
                        _ => {
                            let (wire, limits) = (&self.wire, &self.limits);
                            let ways = (wire, limits, &mut self.machine);
                            give(ways, number, &reply.metadata, told, message);
                        }
                    }
                    Ok(())
                }
            },
            Err(status) => {
                self.answered(number, cost, Err(status));
                Ok(())
            }
        }
    }

    fn frame_until(&self, now: Instant) -> Until {
        let until = now.checked_add(self.limits.frame);
        until.map_or(Until::Forever, Until::At)
    }

    /// Reads the rest of a large frame, for as long as a frame may take.
    fn gather(&mut self, length: usize, now: Instant) -> usize {
        let (wire, until) = (&self.wire, self.frame_until(now));
        let most = self.machine.link.gathers();
        alone::gather(&mut self.buffer, length, most, |room| {
            wire.read_until(room, until).ok()
        })
    }

    /// Sends a stream of answers; takes in what comes while it waits for credit.
    fn stream(
        &mut self,
        call: u32,
        method: &'static MethodDescriptor,
        format: Format,
        mut items: PayloadStream,
    ) -> Result<(), Status> {
        while let Some(item) = block_on(rpc_core::next(&mut items)) {
            let item = match item {
                Ok(item) => item,
                Err(status) => {
                    self.fail(call, status);
                    return Ok(());
                }
            };
            loop {
                let straight = straight_from(&self.wire, &self.limits);
                let (item, codec, mut behind) = (Message::Owned(&item), format.codec(), 0);
                let sent = self.machine.message(call, |out| {
                    behind = item.append(codec, method, straight, out)?;
                    Ok(behind)
                });
                if let (Ok(true), 1..) = (&sent, behind) {
                    let link = &mut self.machine.link;
                    send_straight(link, &self.wire, &self.limits, codec, item, behind);
                }
                // At once: what makes the next item may block this thread for long.
                self.flush()?;
                match sent {
                    Ok(true) => break,
                    Ok(false) if !self.turn(false)? => {
                        return Err(Status::new(Code::Unavailable, "the client has gone"));
                    }
                    Ok(false) if self.cancelled == Some(call) => {
                        self.fail(call, Status::bare(Code::Cancelled));
                        return Ok(());
                    }
                    Ok(false) => {}
                    Err(status) => {
                        self.fail(call, status);
                        return Ok(());
                    }
                }
            }
        }
        self.answered(call, 0, Ok(()));
        Ok(())
    }

    fn fail(&mut self, call: u32, status: Status) {
        self.answered(call, 0, Err(status));
    }

    fn answered(&mut self, call: u32, cost: u32, outcome: Result<(), Status>) {
        match call {
            0 => self.machine.oneway_done(cost),
            _ => {
                let outcome = outcome.map(|()| (|_| Ok(())) as NoAnswer);
                self.machine.finish(call, &Metadata::new(), outcome);
            }
        }
    }

    /// Writes what is to be written; a client that takes nothing for too long is left. The clock
    /// is read only where it has to be waited for.
    fn flush(&mut self) -> Result<(), Status> {
        if let (Some(ended), true) = (
            &self.machine.link.ended,
            self.machine.link.output.is_empty(),
        ) {
            return Err(ended.clone());
        }
        let mut until = Until::Now;
        while !self.machine.link.output.is_empty() {
            let written = self.wire.write_until(&[], &self.machine.link.output, until);
            match written {
                Ok(written) => self.machine.link.output.advance(written),
                Err(error) if until == Until::Now && error.kind() == ErrorKind::WouldBlock => {
                    until = Until::after(self.limits.frame);
                    continue;
                }
                Err(error) => return Err(Status::from(error)),
            }
            until = Until::Now;
        }
        if !self.wire.owes() {
            return Ok(());
        }
        // What a layer below has taken (TLS) goes out too.
        let until = Until::after(self.limits.frame);
        self.wire.pay_until(until).map_err(Status::from)
    }
}

impl fmt::Debug for BlockingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingSession")
            .field("peer", self.wire.peer())
            .finish_non_exhaustive()
    }
}
