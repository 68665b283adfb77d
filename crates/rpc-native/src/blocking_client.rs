//! The client without a runtime: the thread that calls writes, and reads its answer itself.

mod answers;
mod writing;

use self::answers::Answers;
use crate::alone;
use crate::bindings::Bindings;
use crate::client::head;
use crate::client_side::{ClientSide, Event};
use crate::codecs::Format;
use crate::options::Options;
use crate::straight::{Message, straight_from};
use bytes::Bytes;
use ipc_core::{ByteSource, ErrorKind, Until};
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, Context, DirectCall, Metadata, MethodDescriptor,
    MethodKind, Payload, PayloadStream, Reply, Status, block_on, ready,
};
use rpc_transport::{Endpoint, Wire};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A connection without a runtime over a byte stream: a call is done when its future is made.
/// Threads that share it take turns.
#[derive(Clone)]
pub(crate) struct BlockingWired {
    pub(crate) inner: Arc<Mutex<Inner>>,
    format: Format,
}

pub(crate) struct Inner {
    pub(crate) wire: Wire,
    pub(crate) machine: ClientSide,
    bindings: Bindings,
    pub(crate) buffer: Vec<u8>,
    /// Where long fields are put together.
    pub(crate) spare: Vec<u8>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) format: Format,
    /// From how many bytes on a message goes straight to where it is read.
    straight: usize,
    /// What is still to come of an answer that nobody waits for any more.
    pub(crate) passed_by: usize,
    /// Something came while this wrote, and who waits has not looked since.
    came: bool,
}

#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) outcome: Option<Result<(Metadata, Bytes), Status>>,
    items: VecDeque<Bytes>,
}

impl BlockingWired {
    /// Where it leads.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.wire.endpoint().cloned()
    }

    pub(crate) fn greet(wire: Wire, options: &Options) -> Result<Self, Status> {
        let mut inner = Inner {
            straight: straight_from(&wire, &options.limits),
            passed_by: 0,
            came: false,
            wire,
            machine: ClientSide::new(options.limits.clone(), Instant::now()),
            bindings: Bindings::default(),
            buffer: vec![0; 64 * 1024],
            spare: Vec::new(),
            slots: Vec::new(),
            format: options.format,
        };
        let until = Until::after(options.limits.handshake);
        while inner.machine.link.theirs.is_none() {
            inner.turn(until).map_err(Status::before_running)?;
        }
        Ok(Self {
            inner: Arc::new(Mutex::new(inner)),
            format: options.format,
        })
    }

    fn run(&self, call: Call) -> Result<Reply, Status> {
        let (method, format) = (call.method, self.format);
        if method.kind == MethodKind::Bidirectional {
            let text = format!("{}: a blocking client has no stream both ways", method.name);
            return Err(Status::new(Code::Unimplemented, text).before_running());
        }
        let until = call.context.expires().map_or(Until::Forever, Until::At);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match &call.body {
            Body::One(message) => {
                let message = Message::Owned(message);
                inner.begin(method, &call.context, None, until, message)
            }
            Body::Many(_) => inner.begin_stream(method, &call.context, until),
        }?;
        if method.kind == MethodKind::Oneway {
            inner.flush(until)?;
            let empty = Payload::Encoded(format.codec(), Bytes::new());
            return Ok(Reply::one(empty));
        }
        if method.kind == MethodKind::ServerStream {
            inner.flush(until)?;
            drop(inner);
            return Ok(Reply::many(Box::pin(Answers::new(
                self.clone(),
                number,
                until,
            ))));
        }
        let mut outcome = match call.body {
            Body::Many(items) => inner.send_items(number, method, items, until),
            Body::One(_) => Ok(()),
        };
        while outcome.is_ok() && inner.slots[number as usize - 1].outcome.is_none() {
            outcome = inner.turn(until);
        }
        let answer = inner.slots[number as usize - 1].outcome.take();
        inner.release(number);
        let (metadata, bytes) = match (outcome, answer) {
            (_, Some(answer)) => answer?,
            (Err(status), None) => return Err(status),
            (Ok(()), None) => return Err(Status::bare(Code::Internal)),
        };
        Ok(Reply {
            metadata,
            body: Body::One(Payload::Encoded(format.codec(), bytes)),
        })
    }
}

impl Channel for BlockingWired {
    fn call(&self, call: Call) -> CallFuture {
        ready(self.run(call))
    }

    fn calls_directly(&self) -> bool {
        true
    }

    fn call_directly(&self, call: &mut DirectCall<'_>) -> Option<Result<(), Status>> {
        self.run_directly(call)
    }
}

impl fmt::Debug for BlockingWired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingWired(..)")
    }
}

impl Inner {
    /// Begins a call with its message, which has been encoded then; waits for the server's word on
    /// the service, and for credit. `times` are now and its deadline, where they are known.
    pub(crate) fn begin(
        &mut self,
        method: &'static MethodDescriptor,
        context: &Context,
        times: Option<(Instant, Instant)>,
        until: Until,
        message: Message<'_>,
    ) -> Result<u32, Status> {
        self.begin_any(method, context, (times, until), Some(message))
    }

    fn begin_stream(
        &mut self,
        method: &'static MethodDescriptor,
        context: &Context,
        until: Until,
    ) -> Result<u32, Status> {
        self.begin_any(method, context, (None, until), None)
    }

    fn begin_any(
        &mut self,
        method: &'static MethodDescriptor,
        context: &Context,
        (mut times, until): (Option<(Instant, Instant)>, Until),
        message: Option<Message<'_>>,
    ) -> Result<u32, Status> {
        loop {
            let number = self
                .bindings
                .number(&mut self.machine, method, self.format)?;
            if let Some(binding) = number {
                let head = head(binding, method, context, times)?;
                let oneway = method.kind == MethodKind::Oneway;
                let (codec, straight) = (self.format.codec(), self.straight);
                let mut behind = 0;
                let begun = self.machine.call(&head, oneway, message.is_some(), |out| {
                    if let Some(message) = message {
                        behind = message.append(codec, method, straight, out)?;
                    }
                    Ok(behind)
                })?;
                if let Some(number) = begun {
                    if number as usize > self.slots.len() {
                        self.slots.push(Slot::default());
                    }
                    if let Some(index) = (number as usize).checked_sub(1) {
                        let slot = &mut self.slots[index];
                        slot.outcome = None;
                        slot.items.clear();
                    }
                    // Its end may come before all of it is sent.
                    if let (Some(message), 1..) = (message, behind)
                        && let Err(status) = self.send_straight(message, behind, until)
                    {
                        self.ended_meanwhile(number, status)?;
                    }
                    return Ok(number);
                }
            }
            times = times.map(|(_, deadline)| (Instant::now(), deadline));
            self.turn(until).map_err(Status::before_running)?;
        }
    }

    fn send_items(
        &mut self,
        call: u32,
        method: &'static MethodDescriptor,
        mut items: PayloadStream,
        until: Until,
    ) -> Result<(), Status> {
        while let Some(item) = block_on(rpc_core::next(&mut items)) {
            let item = item?;
            // A server that has returned wants no more.
            while self.slots[call as usize - 1].outcome.is_none() {
                let (codec, straight) = (self.format.codec(), self.straight);
                let (item, mut behind) = (Message::Owned(&item), 0);
                let sent = self.machine.message(call, |out| {
                    behind = item.append(codec, method, straight, out)?;
                    Ok(behind)
                })?;
                if sent && behind > 0 {
                    self.send_straight(item, behind, until)?;
                }
                if sent {
                    self.flush(until)?;
                    break;
                }
                self.turn(until)?;
            }
        }
        self.machine.end(call);
        Ok(())
    }

    /// Writes what is to be written, waits for what comes next, a large frame whole, and takes it
    /// in.
    fn turn(&mut self, until: Until) -> Result<(), Status> {
        let Some(length) = self.come(until)? else {
            return Ok(());
        };
        let length = self.gather(length, until);
        self.take_in_until(length, until)
    }

    /// Writes what is to be written, and waits for what comes next; how many bytes it is. `None`
    /// where something has come, and was taken in, before all was written.
    pub(crate) fn come(&mut self, until: Until) -> Result<Option<usize>, Status> {
        self.flush(until)?;
        match std::mem::take(&mut self.came) {
            true => Ok(None),
            false => self.read_some(until).map(Some),
        }
    }

    /// Waits for what comes next; how many bytes it is.
    fn read_some(&mut self, until: Until) -> Result<usize, Status> {
        match self.read(until) {
            Ok(0) => Err(self.lost("the server has gone")),
            Ok(length) => self.take_in_credit(length),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Waits for what comes next behind what is passed by; 0 bytes are the end.
    fn read(&mut self, until: Until) -> ipc_core::Result<usize> {
        loop {
            let passes = self.passed_by > 0;
            let most = match self.passed_by {
                0 => self.buffer.len(),
                bytes => bytes.min(self.buffer.len()),
            };
            match self.wire.read_until(&mut self.buffer[..most], until) {
                Ok(length @ 1..) if passes => self.passed_by -= length,
                outcome => return outcome,
            }
        }
    }

    /// Reads the rest of a large frame.
    pub(crate) fn gather(&mut self, length: usize, until: Until) -> usize {
        let (wire, most) = (&self.wire, self.machine.link.gathers());
        alone::gather(&mut self.buffer, length, most, |room| {
            wire.read_until(room, until).ok()
        })
    }

    /// Takes in a credit that came before something else, which stands alone then.
    fn take_in_credit(&mut self, length: usize) -> Result<usize, Status> {
        let credit = alone::credit(&self.buffer[..length]);
        if credit == 0 || self.machine.link.gathers() == 0 {
            return Ok(length);
        }
        self.take_in(credit, Instant::now())?;
        self.buffer.copy_within(credit..length, 0);
        Ok(length - credit)
    }

    /// Takes in what was read, which ends a wait whose time is over: where something has always
    /// come already, no read says so.
    pub(crate) fn take_in_until(&mut self, length: usize, until: Until) -> Result<(), Status> {
        let now = Instant::now();
        self.take_in(length, now)?;
        match until {
            Until::At(at) if now >= at => Err(Status::bare(Code::DeadlineExceeded)),
            _ => Ok(()),
        }
    }

    /// Takes in what was read; what is wrong with it ends the connection.
    fn take_in(&mut self, length: usize, now: Instant) -> Result<(), Status> {
        let taken = self.understand(length, now);
        if taken.is_err() {
            self.hang_up();
        }
        taken
    }

    /// Takes in what was read.
    fn understand(&mut self, length: usize, now: Instant) -> Result<(), Status> {
        self.machine.link.receive(&self.buffer[..length], now);
        loop {
            match self.machine.next_event(now) {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Returned(call, outcome))) => {
                    self.slots[call as usize - 1].outcome = Some(outcome);
                }
                Ok(Some(Event::Message(call, item))) => {
                    self.slots[call as usize - 1].items.push_back(item);
                }
                Ok(Some(Event::Bound(number, verdict, text))) => {
                    let format = self.format;
                    self.bindings
                        .bound(&mut self.machine, number, verdict, &text, format);
                }
                Ok(Some(_)) => {}
                Err(status) => return Err(status),
            }
        }
    }

    /// The connection has ended while a call's message was sent: that is what the call has come
    /// to, unless its own end came before.
    #[cold]
    fn ended_meanwhile(&mut self, call: u32, status: Status) -> Result<(), Status> {
        let index = (call as usize).checked_sub(1);
        let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) else {
            return Err(status);
        };
        slot.outcome.get_or_insert(Err(status));
        self.came = true;
        Ok(())
    }

    pub(crate) fn release(&mut self, call: u32) {
        let slot = &mut self.slots[call as usize - 1];
        for item in slot.items.drain(..) {
            self.machine.consumed(call, item.len());
        }
        self.machine.release(call);
        if !self.machine.link.output.is_empty() {
            let _ = self.flush(Until::Now);
        }
    }

    pub(crate) fn failed(&mut self, error: &ipc_core::Error) -> Status {
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Status::bare(Code::DeadlineExceeded),
            _ => self.lost(&error.to_string()),
        }
    }

    pub(crate) fn lost(&mut self, why: &str) -> Status {
        let status = Status::new(Code::Unavailable, format!("the connection was lost: {why}"));
        self.machine.link.lost(status.clone());
        status
    }
}
