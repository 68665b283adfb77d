//! What is read where it came: one whole frame of a unary call, with nothing before or behind it.
//!
//! The usual way cuts frames off a buffer that holds whatever came, and gives each a share of it.
//! A call that is alone on its connection needs none of that. What is unusual about a frame in any
//! way is not taken here, and nothing has changed then: the usual way judges it.

use crate::frame::{CallHead, HEADER_BYTES, Kind, flag};
use bytes::Buf;
use std::ops::Range;

/// The header of the one frame that `bytes` are, or its beginning.
struct Header {
    kind: u8,
    flags: u8,
    stream: u32,
    /// How many bytes the frame has.
    whole: usize,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let (mut header, payload) = bytes.split_at_checked(HEADER_BYTES)?;
    let length = header.get_u32_le() as usize;
    if length < payload.len() {
        return None;
    }
    let (kind, flags) = (header.get_u8(), header.get_u8());
    let unused = header.get_u16_le();
    let stream = header.get_u32_le();
    (unused == 0).then_some(Header {
        kind,
        flags,
        stream,
        whole: HEADER_BYTES.saturating_add(length),
    })
}

/// How much of a buffer is filled with what came, where a large frame is read whole: straight to
/// where it is decoded from, piece behind piece. The buffer grows as bytes arrive, never ahead of
/// them by more than they are, and keeps its size for the next one.
pub(crate) fn gather(
    buffer: &mut Vec<u8>,
    mut filled: usize,
    most: usize,
    mut read: impl FnMut(&mut [u8]) -> Option<usize>,
) -> usize {
    let Some(word) = buffer[..filled]
        .first_chunk()
        .filter(|_| filled >= HEADER_BYTES)
    else {
        return filled;
    };
    let whole = HEADER_BYTES.saturating_add(u32::from_le_bytes(*word) as usize);
    if whole > most {
        return filled;
    }
    while filled < whole {
        if filled == buffer.len() {
            buffer.resize(whole.min(2 * filled), 0);
        }
        let end = whole.min(buffer.len());
        // Whatever ends it is met again by the next read, when this much has been taken in.
        match read(&mut buffer[filled..end]) {
            None | Some(0) => break,
            Some(length) => filled += length,
        }
    }
    filled
}

/// How many bytes a CREDIT for the connection has that other frames follow; 0 for anything else.
pub(crate) fn credit(bytes: &[u8]) -> usize {
    const BYTES: usize = HEADER_BYTES + 4;
    let first = bytes.get(..BYTES).filter(|_| bytes.len() > BYTES);
    match first.and_then(header) {
        Some(header) if header.kind == Kind::Credit as u8 && header.whole == BYTES => BYTES,
        _ => 0,
    }
}

/// Where the message stands as far as it has come, and how many bytes the whole frame has, if
/// these bytes are the RETURN of this call, which went well.
pub(crate) fn answer(bytes: &[u8], call: u32) -> Option<(Range<usize>, usize)> {
    let header = header(bytes)?;
    let plain = header.kind == Kind::Return as u8 && header.flags == 0 && header.stream == call;
    let came = HEADER_BYTES + 1..bytes.len();
    (plain && bytes.get(HEADER_BYTES) == Some(&0)).then_some((came, header.whole))
}

/// A CALL with its message.
pub(crate) struct Asked {
    pub(crate) call: u32,
    pub(crate) head: CallHead,
    /// Where its message stands, as far as it has come.
    pub(crate) message: Range<usize>,
    /// How many bytes the whole frame has.
    pub(crate) whole: usize,
}

/// The unary call that these bytes are, or its beginning, if it is one without a trace and
/// metadata.
pub(crate) fn asked(bytes: &[u8]) -> Option<Asked> {
    let header = header(bytes)?;
    let usual = header.flags & !flag::DEADLINE == flag::END;
    if header.kind != Kind::Call as u8 || !usual || header.stream == 0 {
        return None;
    }
    let mut rest = &bytes[HEADER_BYTES..];
    let (binding, _) = (rest.try_get_u16_le().ok()?, rest.try_get_u16_le().ok()?);
    let method = rest.try_get_u32_le().ok()?;
    let timeout_micros = match header.flags & flag::DEADLINE {
        0 => None,
        _ => Some(rest.try_get_u64_le().ok()?),
    };
    let head = CallHead {
        binding,
        method,
        timeout_micros,
        ..CallHead::default()
    };
    Some(Asked {
        call: header.stream,
        head,
        message: bytes.len() - rest.len()..bytes.len(),
        whole: header.whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::begin;
    use bytes::{BufMut, BytesMut};

    fn framed(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        begin(&mut out, kind, flags, stream, |out| out.put_slice(payload));
        out
    }

    #[test]
    fn a_large_frame_is_read_piece_behind_piece_and_no_further() {
        let frame = framed(Kind::Return, 0, 1, &[7; 1000]);
        let mut buffer = vec![0; 64];
        buffer.copy_from_slice(&frame[..64]);
        let (mut at, mut ahead) = (64, 0);
        let filled = gather(&mut buffer, 64, 4096, |room| {
            let length = room.len().min(100);
            room[..length].copy_from_slice(&frame[at..at + length]);
            ahead = ahead.max(room.len().saturating_sub(at));
            at += length;
            Some(length)
        });
        assert_eq!((filled, ahead), (frame.len(), 0));
        assert_eq!(buffer[..filled], frame[..]);
        let never = |_: &mut [u8]| panic!("it is whole, or too large");
        assert_eq!(gather(&mut buffer, filled, 4096, never), filled);
        assert_eq!(gather(&mut buffer, 64, 500, never), 64);
        assert_eq!(gather(&mut buffer, 11, 4096, never), 11, "no header");
        assert_eq!(gather(&mut buffer, 64, 4096, |_| None), 64, "the end");
    }

    #[test]
    fn a_plain_return_is_read_where_it_came_and_nothing_else_is() {
        let plain = framed(Kind::Return, 0, 3, b"\0abc");
        let read = |bytes: &[u8]| answer(bytes, 3).map(|(at, whole)| (bytes[at].to_vec(), whole));
        assert_eq!(read(&plain), Some((b"abc".to_vec(), 16)));
        assert_eq!(answer(&plain, 4), None, "another call's");
        assert_eq!(
            read(&plain[..15]),
            Some((b"ab".to_vec(), 16)),
            "its beginning"
        );
        assert_eq!(read(&plain[..12]), None, "too little of it");
        let two = [&plain[..], &plain[..]].concat();
        assert_eq!(answer(&two, 3), None, "two frames");
        let failed = framed(Kind::Return, 0, 3, b"\x05abc");
        assert_eq!(answer(&failed, 3), None, "a failure");
        let flagged = framed(Kind::Return, flag::METADATA, 3, b"\0abc");
        assert_eq!(answer(&flagged, 3), None, "metadata");
        assert_eq!(answer(&framed(Kind::Message, 0, 3, b"\0abc"), 3), None);
        assert_eq!(answer(&framed(Kind::Return, 0, 3, b""), 3), None);
        let mut odd = plain;
        odd[6] = 1;
        assert_eq!(answer(&odd, 3), None, "what must be nought is not");
    }

    #[test]
    fn a_plain_call_is_read_where_it_came_and_nothing_else_is() {
        let mut payload = vec![7, 0, 0, 0, 9, 0, 0, 0];
        payload.extend(5_u64.to_le_bytes());
        payload.extend(b"abc");
        let flags = flag::END | flag::DEADLINE;
        let plain = framed(Kind::Call, flags, 3, &payload);
        let call = asked(&plain).expect("plain");
        let head = (
            call.head.binding,
            call.head.method,
            call.head.timeout_micros,
        );
        assert_eq!((call.call, head), (3, (7, 9, Some(5))));
        assert_eq!(
            (&plain[call.message], call.whole),
            (&b"abc"[..], plain.len())
        );
        let begun = asked(&plain[..plain.len() - 1]).expect("its beginning");
        assert_eq!(
            (&plain[begun.message], begun.whole),
            (&b"ab"[..], plain.len())
        );
        assert!(
            asked(&framed(Kind::Call, flags, 0, &payload)).is_none(),
            "oneway"
        );
        assert!(asked(&framed(Kind::Call, flag::DEADLINE, 3, &payload)).is_none());
        let more = flags | flag::TRACE;
        assert!(asked(&framed(Kind::Call, more, 3, &payload)).is_none());
        for short in 0..16 {
            assert!(asked(&framed(Kind::Call, flags, 3, &payload[..short])).is_none());
        }
    }
}
