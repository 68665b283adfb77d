//! Frames, byte by byte, as `docs/rpc-native.md` specifies them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rpc_core::{Code, Metadata, Status, TraceContext};

/// How many bytes stand before each payload.
pub(crate) const HEADER_BYTES: usize = 12;
/// What a connection begins with.
pub(crate) const MAGIC: [u8; 4] = *b"IPCR";
/// The version of the wire that is spoken here.
pub(crate) const VERSION: u16 = 1;
/// What a payload may have beyond its message: metadata, details, names, a contract's text.
pub(crate) const OVERHEAD_BYTES: usize = 272 * 1024;
/// The largest message that a frame has room for.
const MOST_MESSAGE_BYTES: u32 = u32::MAX - OVERHEAD_BYTES as u32;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Hello = 1,
    Bind = 2,
    Bound = 3,
    Call = 4,
    Message = 5,
    End = 6,
    Return = 7,
    Cancel = 8,
    Credit = 9,
    Ping = 10,
    Pong = 11,
    Drain = 12,
    Close = 13,
}

impl Kind {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Hello,
            2 => Self::Bind,
            3 => Self::Bound,
            4 => Self::Call,
            5 => Self::Message,
            6 => Self::End,
            7 => Self::Return,
            8 => Self::Cancel,
            9 => Self::Credit,
            10 => Self::Ping,
            11 => Self::Pong,
            12 => Self::Drain,
            13 => Self::Close,
            _ => return None,
        })
    }

    /// The flags that it may have: what another one would mean nobody here knows.
    pub(crate) const fn flags(self) -> u8 {
        match self {
            Self::Call => flag::DEADLINE | flag::TRACE | flag::METADATA | flag::END | flag::ONEWAY,
            Self::Return => flag::METADATA | flag::NOT_RUN,
            _ => 0,
        }
    }
}

/// What the flags of a frame say.
pub(crate) mod flag {
    pub(crate) const DEADLINE: u8 = 1;
    pub(crate) const TRACE: u8 = 2;
    pub(crate) const METADATA: u8 = 4;
    pub(crate) const END: u8 = 8;
    pub(crate) const ONEWAY: u8 = 16;
    pub(crate) const NOT_RUN: u8 = 32;
}

/// A whole frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Bytes,
}

impl Frame {
    /// What it costs of a credit: its bytes, so that an empty one is not free.
    pub(crate) fn cost(&self) -> u32 {
        cost(self.payload.len())
    }
}

/// What a frame with such a payload costs of a credit.
pub(crate) fn cost(payload_bytes: usize) -> u32 {
    u32::try_from(payload_bytes + HEADER_BYTES).unwrap_or(u32::MAX)
}

/// The first frame in each direction: what its sender can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) max_calls: u32,
    pub(crate) max_message_bytes: u32,
    pub(crate) stream_credit: u32,
    pub(crate) connection_credit: u32,
}

impl Hello {
    pub(crate) fn write(self, out: &mut BytesMut) {
        begin(out, Kind::Hello, 0, 0, |out| {
            out.put_slice(&MAGIC);
            out.put_u16_le(VERSION);
            out.put_u16_le(0);
            out.put_u32_le(self.max_calls);
            out.put_u32_le(self.max_message_bytes);
            out.put_u32_le(self.stream_credit);
            out.put_u32_le(self.connection_credit);
        });
    }

    pub(crate) fn read(mut payload: Bytes) -> Result<Self, &'static str> {
        if payload.len() < 24 || payload[..4] != MAGIC {
            return Err("the peer does not speak this protocol");
        }
        payload.advance(4);
        if payload.get_u16_le() != VERSION {
            return Err("the peer speaks another version of this protocol");
        }
        payload.advance(2);
        let hello = Self {
            max_calls: payload.get_u32_le(),
            // No frame has room for a larger one, whatever the peer says.
            max_message_bytes: payload.get_u32_le().min(MOST_MESSAGE_BYTES),
            stream_credit: payload.get_u32_le(),
            connection_credit: payload.get_u32_le(),
        };
        let sane = |credit: u32| (1..=1 << 30).contains(&credit);
        if hello.max_calls == 0 || !sane(hello.stream_credit) || !sane(hello.connection_credit) {
            return Err("a limit in the peer's greeting is outside of its range");
        }
        Ok(hello)
    }
}

/// What stands before the message of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CallHead {
    pub(crate) binding: u16,
    pub(crate) method: u32,
    pub(crate) timeout_micros: Option<u64>,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) metadata: Metadata,
}

impl CallHead {
    pub(crate) fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.timeout_micros.is_some() {
            flags |= flag::DEADLINE;
        }
        if self.trace.is_some() {
            flags |= flag::TRACE;
        }
        if !self.metadata.is_empty() {
            flags |= flag::METADATA;
        }
        flags
    }

    pub(crate) fn write(&self, out: &mut BytesMut) {
        let mut plain = [0; 16];
        plain[..2].copy_from_slice(&self.binding.to_le_bytes());
        plain[4..8].copy_from_slice(&self.method.to_le_bytes());
        let bytes = match self.timeout_micros {
            None => 8,
            Some(micros) => {
                plain[8..].copy_from_slice(&micros.to_le_bytes());
                16
            }
        };
        out.extend_from_slice(&plain[..bytes]);
        if let Some(trace) = self.trace {
            out.put_u128(trace.trace_id);
            out.put_u64(trace.span_id);
            out.put_u8(trace.flags);
        }
        if !self.metadata.is_empty() {
            write_metadata(&self.metadata, out);
        }
    }

    /// Takes the head off `payload`, which is the message then.
    pub(crate) fn read(flags: u8, payload: &mut Bytes) -> Result<Self, &'static str> {
        const SHORT: &str = "a call's head is cut short";
        let mut head = Self {
            binding: payload.try_get_u16_le().map_err(|_| SHORT)?,
            ..Self::default()
        };
        payload.try_get_u16_le().map_err(|_| SHORT)?;
        head.method = payload.try_get_u32_le().map_err(|_| SHORT)?;
        if flags & flag::DEADLINE != 0 {
            head.timeout_micros = Some(payload.try_get_u64_le().map_err(|_| SHORT)?);
        }
        if flags & flag::TRACE != 0 {
            let trace = TraceContext {
                trace_id: payload.try_get_u128().map_err(|_| SHORT)?,
                span_id: payload.try_get_u64().map_err(|_| SHORT)?,
                flags: payload.try_get_u8().map_err(|_| SHORT)?,
            };
            // The standard says to ignore an invalid one.
            head.trace = (trace.trace_id != 0 && trace.span_id != 0).then_some(trace);
        }
        if flags & flag::METADATA != 0 {
            head.metadata = read_metadata(payload)?;
        }
        Ok(head)
    }
}

/// What is sent behind a frame that was begun, of its payload.
pub(crate) trait Behind {
    fn bytes(&self) -> usize;
}

/// Nothing.
impl Behind for () {
    fn bytes(&self) -> usize {
        0
    }
}

/// So many bytes.
impl Behind for usize {
    fn bytes(&self) -> usize {
        *self
    }
}

/// Writes a frame whose payload `fill` appends.
pub(crate) fn begin<B: Behind>(
    out: &mut BytesMut,
    kind: Kind,
    flags: u8,
    stream: u32,
    fill: impl FnOnce(&mut BytesMut) -> B,
) {
    let at = out.len();
    let [a, b, c, d] = stream.to_le_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, kind as u8, flags, 0, 0, a, b, c, d]);
    let behind = fill(out).bytes();
    let length = (out.len() - at - HEADER_BYTES).saturating_add(behind);
    // One that no frame can hold is above the peer's limit: whoever writes it takes it back.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

pub(crate) fn write_metadata(metadata: &Metadata, out: &mut BytesMut) {
    let at = out.len();
    out.put_u16_le(0);
    for (name, value) in metadata.iter() {
        // Both fit: `Metadata` bounds names to 255 bytes and all of it to 16 KiB.
        out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.put_slice(name.as_bytes());
        out.put_u16_le(u16::try_from(value.len()).unwrap_or(u16::MAX));
        out.put_slice(value);
    }
    let length = u16::try_from(out.len() - at - 2).unwrap_or(u16::MAX);
    out[at..at + 2].copy_from_slice(&length.to_le_bytes());
}

pub(crate) fn read_metadata(payload: &mut Bytes) -> Result<Metadata, &'static str> {
    const SHORT: &str = "metadata is cut short";
    let length = usize::from(payload.try_get_u16_le().map_err(|_| SHORT)?);
    if payload.len() < length {
        return Err(SHORT);
    }
    let mut rest = payload.split_to(length);
    let mut metadata = Metadata::new();
    while !rest.is_empty() {
        let name = usize::from(rest.get_u8());
        let name = take(&mut rest, name).ok_or(SHORT)?;
        let value = usize::from(rest.try_get_u16_le().map_err(|_| SHORT)?);
        let value = take(&mut rest, value).ok_or(SHORT)?;
        let name = std::str::from_utf8(&name).map_err(|_| "a metadata name is no text")?;
        metadata
            .insert(name, &value)
            .map_err(|_| "metadata has a strange name, or too much of it")?;
    }
    Ok(metadata)
}

/// The flags and payload of a RETURN that says why a call failed.
pub(crate) fn write_failure(status: &Status, out: &mut BytesMut) {
    out.put_u8(status.code() as u8);
    out.put_u32_le(status.push_back_millis().unwrap_or(u32::MAX));
    let text = clip(status.message(), 4096);
    out.put_u16_le(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(text.as_bytes());
    let details = status.details();
    let fits =
        |detail: &&rpc_core::Detail| detail.type_url.len() <= 255 && detail.value.len() <= 4096;
    let kept: Vec<_> = details.iter().filter(fits).take(16).collect();
    out.put_u8(u8::try_from(kept.len()).unwrap_or(u8::MAX));
    for detail in kept {
        out.put_u8(u8::try_from(detail.type_url.len()).unwrap_or(u8::MAX));
        out.put_slice(detail.type_url.as_bytes());
        out.put_u16_le(u16::try_from(detail.value.len()).unwrap_or(u16::MAX));
        out.put_slice(&detail.value);
    }
}

/// How a call ended, from its RETURN.
pub(crate) fn read_return(
    flags: u8,
    mut payload: Bytes,
) -> Result<Result<(Metadata, Bytes), Status>, &'static str> {
    let code = payload.try_get_u8().map_err(|_| "a return is cut short")?;
    let metadata = match flags & flag::METADATA {
        0 => Metadata::new(),
        _ => read_metadata(&mut payload)?,
    };
    if code == 0 {
        return Ok(Ok((metadata, payload)));
    }
    let mut status = read_failure(code, payload)?;
    if flags & flag::NOT_RUN != 0 {
        status = status.before_running();
    }
    Ok(Err(status))
}

/// Reads what [`write_failure`] wrote after the code.
pub(crate) fn read_failure(code: u8, mut rest: Bytes) -> Result<Status, &'static str> {
    const SHORT: &str = "a failure is cut short";
    let push_back = rest.try_get_u32_le().map_err(|_| SHORT)?;
    let text = usize::from(rest.try_get_u16_le().map_err(|_| SHORT)?);
    let text = take(&mut rest, text).ok_or(SHORT)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut status = Status::new(Code::from_number(code), text);
    if push_back != u32::MAX {
        status = status.retry_after_millis(push_back);
    }
    for _ in 0..rest.try_get_u8().map_err(|_| SHORT)? {
        let url = usize::from(rest.try_get_u8().map_err(|_| SHORT)?);
        let url = take(&mut rest, url).ok_or(SHORT)?;
        let value = usize::from(rest.try_get_u16_le().map_err(|_| SHORT)?);
        let value = take(&mut rest, value).ok_or(SHORT)?;
        status = status.detail(String::from_utf8_lossy(&url), value);
    }
    Ok(status)
}

pub(crate) fn too_large(bytes: usize, limit: u32) -> Status {
    let text = format!("a message of {bytes} bytes is above the peer's limit of {limit}");
    Status::new(Code::ResourceExhausted, text)
}

/// Writes a MESSAGE; what it costs.
pub(crate) fn send_message<B: Behind>(
    output: &mut BytesMut,
    call: u32,
    max: u32,
    fill: impl FnOnce(&mut BytesMut) -> Result<B, Status>,
) -> Result<u32, Status> {
    let at = output.len();
    let (mut filled, mut behind) = (Ok(()), 0);
    begin(output, Kind::Message, 0, call, |out| {
        filled = fill(out).map(|rest| behind = rest.bytes());
        behind
    });
    let bytes = output.len() - at - HEADER_BYTES + behind;
    if filled.is_ok() && bytes > max as usize {
        filled = Err(too_large(bytes, max));
    }
    if let Err(status) = filled {
        output.truncate(at);
        return Err(status);
    }
    Ok(cost(bytes))
}

pub(crate) fn take(from: &mut Bytes, length: usize) -> Option<Bytes> {
    (from.len() >= length).then(|| from.split_to(length))
}

/// The first bytes of a text, at most `limit`, whole characters.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
