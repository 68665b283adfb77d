//! Messages in a stream of bytes: a flag, a length, the message; without input or output.

use crate::compression::Encoding;
use crate::packing;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use rpc_core::{Code, Payload, PayloadStream, Protobuf, Status};
use std::task::{Context as Task, Poll};

/// The flag and the length.
pub(crate) const HEADER_BYTES: usize = 5;
/// Below this, compressing a message makes it no smaller.
const WORTH_COMPRESSING: usize = 256;

/// Cuts messages from bytes that come in pieces. Memory follows what has come, not what is said.
#[derive(Debug)]
pub(crate) struct Cutter {
    encoding: Encoding,
    limit: usize,
    /// What came last, or all of what is there if nothing was left of what came before.
    chunk: Bytes,
    /// What came before it.
    partial: BytesMut,
}

impl Cutter {
    pub(crate) const fn new(encoding: Encoding, limit: usize, partial: BytesMut) -> Self {
        Self {
            encoding,
            limit,
            chunk: Bytes::new(),
            partial,
        }
    }

    /// Takes what came, after [`next`](Cutter::next) has said that nothing is whole.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.partial.is_empty() && self.chunk.is_empty() {
            self.chunk = bytes;
        } else {
            self.partial.extend_from_slice(&self.chunk);
            self.partial.extend_from_slice(&bytes);
            self.chunk = Bytes::new();
        }
    }

    /// The next message, if it is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Payload>, Status> {
        let whole = if self.partial.is_empty() {
            let Some((flag, length)) = self.header(&self.chunk)? else {
                return Ok(None);
            };
            if self.chunk.len() < HEADER_BYTES + length {
                return Ok(None);
            }
            self.chunk.advance(HEADER_BYTES);
            (flag, self.chunk.split_to(length))
        } else {
            let Some((flag, length)) = self.header(&self.partial)? else {
                return Ok(None);
            };
            if self.partial.len() < HEADER_BYTES + length {
                return Ok(None);
            }
            self.partial.advance(HEADER_BYTES);
            (flag, self.partial.split_to(length).freeze())
        };
        let (compressed, message) = whole;
        let message = match compressed {
            true => self.encoding.decompress(&message, self.limit)?,
            false => message,
        };
        Ok(Some(packing::came(compressed, message)))
    }

    /// Whether the stream may end here.
    pub(crate) fn is_empty(&self) -> bool {
        self.partial.is_empty() && self.chunk.is_empty()
    }

    /// The flag and the length, checked before a byte of the message is waited for.
    fn header(&self, bytes: &[u8]) -> Result<Option<(bool, usize)>, Status> {
        let Some([flag, length @ ..]) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if *flag > 1 {
            let text = format!("a message has the flag {flag}, which nobody knows");
            return Err(Status::new(Code::Internal, text));
        }
        let compressed = *flag == 1;
        if compressed && self.encoding == Encoding::Identity {
            let text = "a message is marked as compressed, and no encoding was named";
            return Err(Status::new(Code::Internal, text));
        }
        if length > self.limit {
            let text = format!(
                "a message of {length} bytes is above the limit {}",
                self.limit
            );
            return Err(Status::new(Code::ResourceExhausted, text));
        }
        Ok(Some((compressed, length)))
    }
}

/// A message with its header.
pub(crate) fn frame(payload: &Payload, encoding: Encoding, limit: usize) -> Result<Bytes, Status> {
    let mut out = BytesMut::new();
    append(payload, encoding, limit, &mut out)?;
    Ok(out.freeze())
}

/// Appends a message with its header, compressed where that is asked for, allowed and helps. A
/// failure appends nothing.
pub(crate) fn append(
    payload: &Payload,
    encoding: Encoding,
    limit: usize,
    out: &mut BytesMut,
) -> Result<(), Status> {
    let start = out.len();
    out.reserve(match payload {
        Payload::Encoded(_, bytes) => HEADER_BYTES + bytes.len(),
        Payload::Value(_) => 64,
    });
    out.put_bytes(0, HEADER_BYTES);
    let encoding = match packing::stays_uncompressed(payload) {
        true => Encoding::Identity,
        false => encoding,
    };
    let appended = payload.append(&Protobuf, out);
    let finished = appended.and_then(|()| finish(encoding, limit, start, out));
    if finished.is_err() {
        out.truncate(start);
    }
    finished
}

/// Fills in the header of the message that begins at `start`.
fn finish(
    encoding: Encoding,
    limit: usize,
    start: usize,
    out: &mut BytesMut,
) -> Result<(), Status> {
    let body = start + HEADER_BYTES;
    let length = out.len() - body;
    if length > limit {
        let text = format!("a message of {length} bytes is above the limit {limit}");
        return Err(Status::new(Code::ResourceExhausted, text));
    }
    if encoding != Encoding::Identity && length >= WORTH_COMPRESSING {
        let packed = encoding.compress(&out[body..])?;
        out.truncate(body);
        out.extend_from_slice(&packed);
        out[start] = 1;
    }
    let length = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
    out[start + 1..body].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// The messages of a stream, as many in one piece as are there without waiting: a peer may only
/// take so many small pieces, and each costs it.
pub(crate) struct Pieces {
    encoding: Encoding,
    limit: usize,
    buffer: BytesMut,
    ended: Option<Result<(), Status>>,
}

impl Pieces {
    /// Above this a piece is not made larger.
    const PIECE_BYTES: usize = 16 << 10;
    /// More messages than this are not put into one.
    const PIECE_MESSAGES: usize = 256;

    pub(crate) fn new(encoding: Encoding, limit: usize) -> Self {
        Self {
            encoding,
            limit,
            buffer: BytesMut::new(),
            ended: None,
        }
    }

    /// The next piece, or how the stream ended.
    pub(crate) fn poll(
        &mut self,
        items: &mut PayloadStream,
        task: &mut Task<'_>,
    ) -> Poll<Result<Bytes, Result<(), Status>>> {
        for _ in 0..Self::PIECE_MESSAGES {
            if self.ended.is_some() || self.buffer.len() >= Self::PIECE_BYTES {
                break;
            }
            let item = match items.as_mut().poll_next(task) {
                Poll::Pending if self.buffer.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(None) => {
                    self.ended = Some(Ok(()));
                    break;
                }
                Poll::Ready(Some(item)) => item,
            };
            let (encoding, limit, buffer) = (self.encoding, self.limit, &mut self.buffer);
            let appended = item.and_then(|item| append(&item, encoding, limit, buffer));
            if let Err(status) = appended {
                self.ended = Some(Err(status));
            }
        }
        Poll::Ready(match &self.ended {
            Some(ended) if self.buffer.is_empty() => Err(ended.clone()),
            _ => Ok(self.buffer.split().freeze()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cutter() -> Cutter {
        Cutter::new(Encoding::Identity, 100, BytesMut::new())
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_are_cut() {
        let mut bytes = Vec::new();
        for length in [0_u8, 1, 100, 7] {
            bytes.extend([0, 0, 0, 0, length]);
            bytes.extend(std::iter::repeat_n(length, length.into()));
        }
        for step in 1..=bytes.len() {
            let (mut cutter, mut lengths) = (cutter(), Vec::new());
            for piece in bytes.chunks(step) {
                cutter.push(Bytes::copy_from_slice(piece));
                while let Some(message) = cutter.next().expect("good") {
                    let Payload::Encoded(_, bytes) = message else {
                        panic!("bytes came");
                    };
                    lengths.push(bytes.len());
                }
            }
            assert_eq!(lengths, [0, 1, 100, 7], "step {step}");
            assert!(cutter.is_empty());
        }
    }

    #[test]
    fn lies_are_refused_before_anything_is_waited_for() {
        for flag in 1..=255 {
            let mut cutter = cutter();
            cutter.push(Bytes::copy_from_slice(&[flag, 0, 0, 0, 1]));
            assert_eq!(cutter.next().expect_err("a flag").code(), Code::Internal);
        }
        for length in [101, 1 << 24, u32::MAX] {
            let mut cutter = cutter();
            let header = [&[0][..], &length.to_be_bytes()].concat();
            cutter.push(header.into());
            let refused = cutter.next().expect_err("a length");
            assert_eq!(refused.code(), Code::ResourceExhausted);
        }
    }
}
