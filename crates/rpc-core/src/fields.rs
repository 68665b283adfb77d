//! A message that is read field by field while it comes, and no field before half of it is there.
//!
//! What reads a field of text makes room for all of it first. Its length is the sender's word: so
//! it is read when so much has come that the room is at most twice as much.

use crate::direct::Arriving;
use bytes::Buf;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_varint};

/// Up to here a field is read from where it stands, if all of it is there.
const SHORT_BYTES: u64 = 16 << 10;

/// Reads all of `bytes` into `message`.
pub(crate) fn merge<M: prost::Message>(
    message: &mut M,
    mut bytes: &mut dyn Arriving,
) -> Result<(), DecodeError> {
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        match wire_type {
            WireType::LengthDelimited => merge_delimited(message, tag, bytes)?,
            WireType::StartGroup => {
                // Nobody knows its length.
                let mut rest = bytes.copy_to_bytes(bytes.remaining());
                merge_field(message, (tag, wire_type), &mut rest)?;
                return message.merge(rest);
            }
            _ => merge_field(message, (tag, wire_type), bytes)?,
        }
    }
    Ok(())
}

fn merge_delimited<M: prost::Message>(
    message: &mut M,
    tag: u32,
    mut bytes: &mut dyn Arriving,
) -> Result<(), DecodeError> {
    let key = (tag, WireType::LengthDelimited);
    let chunk = bytes.chunk();
    let mut ahead = chunk;
    if let Ok(length @ ..SHORT_BYTES) = decode_varint(&mut ahead)
        && let Some(behind) = ahead.len().checked_sub(length as usize)
    {
        let (mut field, _) = chunk.split_at(chunk.len() - behind);
        let whole = field.len();
        merge_field(message, key, &mut field)?;
        bytes.advance(whole);
        return Ok(());
    }
    let length = decode_varint(&mut bytes)?;
    // What is longer than all that comes is refused by whoever reads it.
    let field = usize::try_from(length).unwrap_or(usize::MAX);
    if field <= bytes.remaining() {
        bytes.wait_for(field.div_ceil(2));
    }
    let mut prefix = [0; 10];
    let mut room = &mut prefix[..];
    encode_varint(length, &mut room);
    let used = 10 - room.len();
    merge_field(message, key, &mut prefix[..used].chain(bytes.take(field)))
}

/// All fields of all messages come by one type of bytes: the code is there once.
fn merge_field<M: prost::Message>(
    message: &mut M,
    (tag, wire_type): (u32, WireType),
    mut bytes: &mut dyn Buf,
) -> Result<(), DecodeError> {
    message.merge_field(tag, wire_type, &mut bytes, DecodeContext::default())
}
