//! From messages to bytes and back: what a binding brings, behind one object-safe trait.

use crate::direct::Arriving;
use crate::pieces::Pieces;
use crate::wire::Wire;
use crate::{Code, Status};
use bytes::{Bytes, BytesMut};

/// Turns messages into bytes and back. A binding brings the one that its wire speaks; the
/// contract, the stubs and the layers never see it.
///
/// A message shows a codec two faces ([`Wire`]): protobuf's, and serde's for text formats.
pub trait Codec: Send + Sync {
    /// Its name in a handshake and in messages to people.
    fn name(&self) -> &'static str;

    /// Appends the bytes of `message` to `out`.
    ///
    /// # Errors
    /// [`Code::Internal`] for a message that the format cannot say.
    fn encode(&self, message: &dyn Wire, out: &mut BytesMut) -> Result<(), Status>;

    /// How many bytes `message` has, where that is known before it is encoded.
    fn encoded_bytes(&self, _message: &dyn Wire) -> Option<usize> {
        None
    }

    /// Writes exactly those bytes piece by piece; nothing, where it is not known how many they are.
    fn write(&self, _message: &dyn Wire, _out: &mut Pieces<'_>) {}

    /// Reads `bytes` into `message`, which is a default value.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for bytes that are no such message.
    fn decode(&self, bytes: Bytes, message: &mut dyn Wire) -> Result<(), Status>;

    /// Reads bytes that are only lent, as [`decode`](Codec::decode).
    ///
    /// # Errors
    /// As [`decode`](Codec::decode).
    fn decode_slice(&self, bytes: &[u8], message: &mut dyn Wire) -> Result<(), Status> {
        self.decode(Bytes::copy_from_slice(bytes), message)
    }

    /// Reads bytes that come while they are read, as [`decode`](Codec::decode).
    ///
    /// # Errors
    /// As [`decode`](Codec::decode).
    fn decode_arriving(
        &self,
        bytes: &mut dyn Arriving,
        message: &mut dyn Wire,
    ) -> Result<(), Status> {
        let length = bytes.remaining();
        self.decode(bytes.copy_to_bytes(length), message)
    }
}

/// Protobuf's binary format.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protobuf;

impl Codec for Protobuf {
    fn name(&self) -> &'static str {
        "protobuf"
    }
    fn encode(&self, message: &dyn Wire, out: &mut BytesMut) -> Result<(), Status> {
        message.append_protobuf(out);
        Ok(())
    }
    fn encoded_bytes(&self, message: &dyn Wire) -> Option<usize> {
        message.protobuf_bytes()
    }
    fn write(&self, message: &dyn Wire, out: &mut Pieces<'_>) {
        message.write_protobuf(out);
    }
    fn decode(&self, bytes: Bytes, message: &mut dyn Wire) -> Result<(), Status> {
        message.merge_protobuf(bytes)
    }
    fn decode_slice(&self, bytes: &[u8], message: &mut dyn Wire) -> Result<(), Status> {
        message.merge_protobuf_slice(bytes)
    }
    fn decode_arriving(
        &self,
        bytes: &mut dyn Arriving,
        message: &mut dyn Wire,
    ) -> Result<(), Status> {
        message.merge_protobuf_arriving(bytes)
    }
}

/// How deep JSON may be nested: what serde_json reads, and so what it skips too.
const MAX_NESTING: usize = 127;

/// JSON, as serde writes the message. What is nested more than 127 levels deep is refused, also
/// in members of a name that nobody knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Codec for Json {
    fn name(&self) -> &'static str {
        "json"
    }
    fn encode(&self, message: &dyn Wire, out: &mut BytesMut) -> Result<(), Status> {
        struct Append<'a>(&'a mut BytesMut);
        impl std::io::Write for Append<'_> {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        serde_json::to_writer(Append(out), message.as_serialize())
            .map_err(|error| Status::new(Code::Internal, format!("encode as JSON: {error}")))
    }
    fn decode(&self, bytes: Bytes, message: &mut dyn Wire) -> Result<(), Status> {
        let wrong = |error: &dyn std::fmt::Display| {
            Status::new(Code::InvalidArgument, format!("decode as JSON: {error}"))
        };
        if is_nested_beyond_reason(&bytes) {
            return Err(wrong(&format_args!(
                "it is nested more than {MAX_NESTING} levels deep"
            )));
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        message
            .deserialize(&mut <dyn erased_serde::Deserializer<'_>>::erase(
                &mut reader,
            ))
            .map_err(|error| wrong(&error))?;
        reader.end().map_err(|error| wrong(&error))
    }
}

/// Whether brackets stand more than [`MAX_NESTING`] deep in each other. Text that is no JSON may be
/// misread: it is refused in any case.
fn is_nested_beyond_reason(bytes: &[u8]) -> bool {
    let opens = |byte: &&u8| matches!(byte, b'[' | b'{');
    // Most messages have not so many in all, which is much faster to see.
    if bytes.iter().filter(opens).count() <= MAX_NESTING {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return true;
        }
    }
    false
}
