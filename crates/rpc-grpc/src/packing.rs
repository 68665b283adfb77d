//! What one message says of its own compression: whether it came compressed, and that it must not
//! be.

use bytes::{Bytes, BytesMut};
use rpc_core::{Codec, Payload, Protobuf, Status, Wire};

/// The message as one that travels uncompressed, although [`encoding`](crate::Options::encoding)
/// compresses: for a secret beside what a stranger chose, whose length would tell of it. For a
/// layer, on either side; other bindings send it as any other.
///
/// # Errors
/// As [`Payload::append`].
pub fn uncompressed(payload: &Payload) -> Result<Payload, Status> {
    let mut bytes = BytesMut::new();
    payload.append(&Protobuf, &mut bytes)?;
    Ok(Payload::Encoded(&UNCOMPRESSED, bytes.freeze()))
}

/// Whether the peer sent this message compressed: for a layer, on either side.
#[must_use]
pub fn came_compressed(payload: &Payload) -> bool {
    is(payload, &COMPRESSED)
}

/// Whether the message is not to be compressed.
pub(crate) fn stays_uncompressed(payload: &Payload) -> bool {
    is(payload, &UNCOMPRESSED)
}

/// A message that came, unpacked.
pub(crate) fn came(compressed: bool, message: Bytes) -> Payload {
    match compressed {
        true => Payload::Encoded(&COMPRESSED, message),
        false => Payload::Encoded(&Protobuf, message),
    }
}

static COMPRESSED: Marked = Marked(1);
static UNCOMPRESSED: Marked = Marked(2);

/// Protobuf, with a mark. The marks are told apart by where they stand: so they have a size, since
/// of statics without one several may stand at one address.
struct Marked(#[allow(dead_code)] u8);

fn is(payload: &Payload, mark: &'static Marked) -> bool {
    match payload {
        Payload::Encoded(codec, _) => std::ptr::addr_eq(&raw const **codec, mark),
        Payload::Value(_) => false,
    }
}

impl Codec for Marked {
    /// The same, since the bytes are: so other bindings carry them on.
    fn name(&self) -> &'static str {
        Protobuf.name()
    }

    fn encode(&self, message: &dyn Wire, out: &mut BytesMut) -> Result<(), Status> {
        Protobuf.encode(message, out)
    }

    fn decode(&self, bytes: Bytes, message: &mut dyn Wire) -> Result<(), Status> {
        Protobuf.decode(bytes, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_seen_and_changes_no_byte() {
        let plain = Payload::of("text".to_owned());
        let marked = uncompressed(&plain).expect("a text");
        assert!(stays_uncompressed(&marked) && !came_compressed(&marked));
        assert!(!stays_uncompressed(&plain) && !came_compressed(&plain));
        let mut bytes = [BytesMut::new(), BytesMut::new()];
        for (payload, bytes) in [plain, marked].iter().zip(&mut bytes) {
            payload.append(&Protobuf, bytes).expect("a text");
        }
        assert_eq!(bytes[0], bytes[1]);
        let [_, bytes] = bytes;
        for compressed in [true, false] {
            let payload = came(compressed, bytes.clone().freeze());
            assert_eq!(came_compressed(&payload), compressed);
            assert!(!stays_uncompressed(&payload));
            assert_eq!(payload.take::<String>().expect("a text"), "text");
        }
    }
}
