//! What both sides of a connection have: the buffers, the greeting, credits, pings, the end.

mod clock;

use crate::frame::{self, Frame, HEADER_BYTES, Hello, Kind, OVERHEAD_BYTES};
use crate::limits::Limits;
use crate::straight::Large;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use rpc_core::{Code, Codec, Payload, Status};
use std::collections::VecDeque;
use std::time::Instant;

/// Frames that only one of the sides may send are refused by that side's machine; everything else
/// is done here.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) limits: Limits,
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// Large messages that go out before it.
    large: VecDeque<Large>,
    pub(crate) theirs: Option<Hello>,
    /// What we may still send before we must wait; one frame may overdraw it.
    pub(crate) send_credit: i64,
    /// What the peer may still send.
    allowed: i64,
    /// What was taken and not yet told.
    owed: u32,
    began: Instant,
    last_heard: Instant,
    /// When the first byte of a frame came that is not whole yet.
    partial_since: Option<Instant>,
    asked: Option<Instant>,
    idle_frames: u32,
    pub(crate) draining: bool,
    pub(crate) ended: Option<Status>,
}

impl Link {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        let hello = Hello {
            max_calls: limits.max_calls,
            max_message_bytes: limits.max_message_bytes,
            stream_credit: limits.stream_credit_bytes,
            connection_credit: limits.connection_credit_bytes,
        };
        let mut output = BytesMut::new();
        hello.write(&mut output);
        Self {
            allowed: i64::from(limits.connection_credit_bytes),
            limits,
            input: BytesMut::new(),
            output,
            large: VecDeque::new(),
            theirs: None,
            send_credit: 0,
            owed: 0,
            began: now,
            last_heard: now,
            partial_since: None,
            asked: None,
            idle_frames: 0,
            draining: false,
            ended: None,
        }
    }

    /// Sends a message of so many bytes behind what is to be sent.
    pub(crate) fn send_behind(
        &mut self,
        message: Payload,
        codec: &'static dyn Codec,
        bytes: usize,
    ) {
        let before = std::mem::take(&mut self.output);
        self.large
            .push_back(Large::new(before, message, codec, bytes));
    }

    /// Whether nothing is to be sent.
    pub(crate) fn is_flushed(&self) -> bool {
        self.output.is_empty() && self.large.is_empty()
    }

    /// Whether so much is to be sent that nothing is added.
    pub(crate) fn is_full(&self) -> bool {
        let large: usize = self.large.iter().map(Large::left).sum();
        self.output.len() + large > self.limits.max_output_bytes
    }

    /// Writes what is to be sent, which is a head and what follows it, as far as it is taken.
    pub(crate) fn write(
        &mut self,
        mut write: impl FnMut(&[u8], &[u8]) -> ipc_core::Result<usize>,
    ) -> ipc_core::Result<()> {
        while let Some(large) = self.large.front_mut() {
            large.write(&mut write)?;
            self.large.pop_front();
        }
        while !self.output.is_empty() {
            let written = write(&[], &self.output)?;
            self.output.advance(written);
        }
        Ok(())
    }

    /// Nothing more can be sent.
    pub(crate) fn forget_output(&mut self) {
        self.large.clear();
        self.output.clear();
    }

    /// Takes bytes that came.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.last_heard = now;
        self.asked = None;
        if self.ended.is_none() {
            self.input.extend_from_slice(bytes);
        }
    }

    /// How large a frame is read whole, if it is the next one to come.
    pub(crate) fn gathers(&self) -> usize {
        match self.input.is_empty() && self.ended.is_none() && self.theirs.is_some() {
            true => self.limits.max_message_bytes as usize + OVERHEAD_BYTES + HEADER_BYTES,
            false => 0,
        }
    }

    /// Whether one frame of so many bytes that came alone can be taken where it stands.
    pub(crate) fn takes_alone(&self, bytes: usize) -> bool {
        bytes <= self.gathers()
    }

    /// It was taken; it was a call's or its return.
    pub(crate) fn took_alone(&mut self) {
        self.idle_frames = 0;
        self.asked = None;
    }

    /// When it was heard last.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// Whether the peer may send.
    pub(crate) fn may_be_charged(&self) -> bool {
        self.allowed > 0
    }

    /// The next frame that is for the side's own machine.
    pub(crate) fn next_frame(&mut self, now: Instant) -> Result<Option<Frame>, Status> {
        loop {
            if let Some(status) = &self.ended {
                return Err(status.clone());
            }
            let Some(frame) = self.cut(now)? else {
                return Ok(None);
            };
            let greeted = self.theirs.is_some();
            if greeted == (frame.kind == Kind::Hello) {
                return Err(self.violation("a connection begins with one greeting"));
            }
            match frame.kind {
                Kind::Bind | Kind::Bound | Kind::Call | Kind::Message | Kind::Return => {
                    self.idle_frames = 0;
                    return Ok(Some(frame));
                }
                Kind::End | Kind::Cancel => return Ok(Some(frame)),
                // A credit worth its frame is none of those: who only listens sends nothing else.
                Kind::Credit if self.is_worth_its_frame(&frame) => {}
                _ => {
                    self.idle_frames += 1;
                    if self.idle_frames > Limits::MAX_IDLE_FRAMES {
                        let text = "too many frames that do nothing";
                        return Err(self.end(Status::new(Code::ResourceExhausted, text)));
                    }
                }
            }
            match frame.kind {
                Kind::Hello => {
                    self.greeted(frame.payload.clone())?;
                    return Ok(Some(frame));
                }
                Kind::Credit if frame.stream == 0 => {
                    let window = self.theirs.map_or(0, |theirs| theirs.connection_credit);
                    self.send_credit = self.credited(&frame, self.send_credit, window)?;
                    // Whoever waits for it looks again when a frame has come.
                    return Ok(Some(frame));
                }
                Kind::Credit => return Ok(Some(frame)),
                Kind::Ping => {
                    if frame.payload.len() != 8 {
                        return Err(self.violation("a ping has eight bytes"));
                    }
                    let echo = frame.payload;
                    frame::begin(&mut self.output, Kind::Pong, 0, 0, |out| {
                        out.put_slice(&echo)
                    });
                }
                Kind::Drain => {
                    self.draining = true;
                    return Ok(Some(frame));
                }
                Kind::Close => return Err(self.closed_by_peer(frame.payload)),
                _ => {}
            }
        }
    }

    /// Cuts one frame off the input, if it is whole.
    fn cut(&mut self, now: Instant) -> Result<Option<Frame>, Status> {
        let Some(header) = self.input.first_chunk::<HEADER_BYTES>() else {
            self.partial_since =
                (!self.input.is_empty()).then(|| self.partial_since.unwrap_or(now));
            return Ok(None);
        };
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let (length, stream) = (word(0) as usize, word(8));
        let (kind, flags, zero) = (header[4], header[5], header[6] | header[7]);
        // Checked before a byte of the payload is waited for.
        if length > self.limits.max_message_bytes as usize + OVERHEAD_BYTES {
            return Err(self.violation("a frame is longer than the limit"));
        }
        let Some(kind) = Kind::from_number(kind).filter(|_| zero == 0) else {
            return Err(self.violation("a frame of no known kind"));
        };
        if flags & !kind.flags() != 0 {
            return Err(self.violation("a frame with a flag that its kind has not"));
        }
        if self.input.len() < HEADER_BYTES + length {
            self.partial_since.get_or_insert(now);
            return Ok(None);
        }
        self.partial_since = None;
        self.input.advance(HEADER_BYTES);
        let payload = match length {
            0 => Bytes::new(),
            _ => self.input.split_to(length).freeze(),
        };
        Ok(Some(Frame {
            kind,
            flags,
            stream,
            payload,
        }))
    }

    fn greeted(&mut self, payload: Bytes) -> Result<(), Status> {
        let hello = Hello::read(payload).map_err(|wrong| self.violation(wrong))?;
        self.send_credit = i64::from(hello.connection_credit);
        self.theirs = Some(hello);
        Ok(())
    }

    fn is_worth_its_frame(&self, frame: &Frame) -> bool {
        let bytes = frame
            .payload
            .first_chunk()
            .map_or(0, |word| u32::from_le_bytes(*word));
        let window = self.theirs.map_or(0, |theirs| match frame.stream {
            0 => theirs.connection_credit,
            _ => theirs.stream_credit,
        });
        bytes >= window / 64
    }

    /// `credit` with what a CREDIT frame gives back, which is at most what was used of `window`.
    pub(crate) fn credited(
        &mut self,
        frame: &Frame,
        credit: i64,
        window: u32,
    ) -> Result<i64, Status> {
        let bytes = frame.payload.as_ref().try_into().map(u32::from_le_bytes);
        match bytes.map(|bytes| (bytes, credit + i64::from(bytes))) {
            Ok((1.., credit)) if credit <= i64::from(window) => Ok(credit),
            _ => Err(self.violation("a credit for what was never sent")),
        }
    }

    /// Counts a frame against what the peer may send.
    pub(crate) fn charge(&mut self, cost: u32) -> Result<(), Status> {
        if self.allowed <= 0 {
            return Err(self.violation("the peer sent more than its credit"));
        }
        self.allowed -= i64::from(cost);
        Ok(())
    }

    /// Gives back what has been taken; told to the peer when it is half a window.
    pub(crate) fn consumed(&mut self, cost: u32) {
        self.owed = self.owed.saturating_add(cost);
        if self.owed >= self.limits.connection_credit_bytes.div_ceil(2) {
            let bytes = std::mem::take(&mut self.owed);
            self.allowed += i64::from(bytes);
            self.write_credit(0, bytes);
        }
    }

    pub(crate) fn write_credit(&mut self, stream: u32, bytes: u32) {
        frame::begin(&mut self.output, Kind::Credit, 0, stream, |out| {
            out.put_u32_le(bytes)
        });
    }

    /// Ends the connection because the peer broke its rules.
    pub(crate) fn violation(&mut self, wrong: &'static str) -> Status {
        self.end(Status::new(Code::Internal, wrong))
    }

    /// Ends the connection in order: every call that ran has been returned.
    pub(crate) fn end_in_order(&mut self) -> Status {
        let status = Status::new(Code::Unavailable, "the server is ending");
        if self.ended.is_none() {
            frame::begin(&mut self.output, Kind::Close, 0, 0, |out| {
                out.put_u8(Code::Ok as u8);
                out.put_slice(status.message().as_bytes());
            });
            self.lost(status.clone());
        }
        status
    }

    /// Ends the connection and tells the peer why.
    pub(crate) fn end(&mut self, status: Status) -> Status {
        if self.ended.is_none() {
            let text = frame::clip(status.message(), 1024).to_owned();
            frame::begin(&mut self.output, Kind::Close, 0, 0, |out| {
                out.put_u8(status.code() as u8);
                out.put_slice(text.as_bytes());
            });
            self.lost(status.clone());
        }
        status
    }

    /// Ends the connection, without a word to the peer.
    pub(crate) fn lost(&mut self, status: Status) {
        self.ended.get_or_insert(status);
        self.input.clear();
    }

    fn closed_by_peer(&mut self, payload: Bytes) -> Status {
        let text = payload.get(1..).unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        let mut status = Status::new(Code::Unavailable, format!("the peer closed: {text}"));
        if self.draining && payload.first() == Some(&(Code::Ok as u8)) {
            // An orderly end: it has returned all that ran.
            status = status.before_running();
        }
        self.lost(status.clone());
        status
    }

    /// What may still be sent, what the peer may still send, and what it was not told of.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn balance(&self) -> (i64, i64, i64) {
        (self.send_credit, self.allowed, i64::from(self.owed))
    }

    pub(crate) fn drain(&mut self) {
        if !self.draining && self.ended.is_none() {
            self.draining = true;
            frame::begin(&mut self.output, Kind::Drain, 0, 0, |_| {});
        }
    }
}
