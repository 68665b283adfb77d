//! A message without its type, and one that may be encoded already.

use crate::codec::Codec;
use crate::direct::Arriving;
use crate::pieces::Pieces;
use crate::{Code, Status};
use bytes::{BufMut, Bytes, BytesMut};
use std::any::Any;
use std::sync::Arc;

/// A message without its type, as codecs see it. Every prost message that serde knows is one.
pub trait Wire: Any + Send + Sync {
    /// Appends protobuf's bytes.
    fn append_protobuf(&self, out: &mut BytesMut);

    /// How many bytes protobuf's form has, where that is known before it is written.
    fn protobuf_bytes(&self) -> Option<usize> {
        None
    }

    /// Writes exactly those bytes piece by piece.
    fn write_protobuf(&self, out: &mut Pieces<'_>) {
        let mut whole = BytesMut::new();
        self.append_protobuf(&mut whole);
        out.put_slice(&whole);
    }

    /// Reads protobuf's bytes. They come as a share of what was received, so that a field of
    /// [`Bytes`] is a part of it and not a copy, and one of `Vec<u8>` is copied once.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for bytes that are no such message.
    fn merge_protobuf(&mut self, bytes: Bytes) -> Result<(), Status>;

    /// Reads protobuf's bytes where they are only lent: every field is copied.
    ///
    /// # Errors
    /// As [`merge_protobuf`](Wire::merge_protobuf).
    fn merge_protobuf_slice(&mut self, bytes: &[u8]) -> Result<(), Status> {
        self.merge_protobuf(Bytes::copy_from_slice(bytes))
    }

    /// Reads protobuf's bytes while they come, each field when half of it is there: one of
    /// [`Bytes`] may be a share of what it was put together in, and every other one is copied.
    ///
    /// # Errors
    /// As [`merge_protobuf`](Wire::merge_protobuf).
    fn merge_protobuf_arriving(&mut self, bytes: &mut dyn Arriving) -> Result<(), Status> {
        let length = bytes.remaining();
        self.merge_protobuf(bytes.copy_to_bytes(length))
    }

    /// As serde sees it, to be written.
    fn as_serialize(&self) -> &dyn erased_serde::Serialize;

    /// Reads what serde reads.
    ///
    /// # Errors
    /// As the format says.
    fn deserialize(
        &mut self,
        from: &mut dyn erased_serde::Deserializer<'_>,
    ) -> Result<(), erased_serde::Error>;

    /// The value itself, for a call that stays in this process.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// Up to here a message is written where room was made for it, to be written twice.
const SMALL_BYTES: usize = 512;

/// A type that can travel: what arguments and answers are.
pub trait Message: Wire + Default + Clone {}

impl<T: Wire + Default + Clone> Message for T {}

impl<T> Wire for T
where
    T: prost::Message + Default + Clone + serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    fn append_protobuf(&self, out: &mut BytesMut) {
        let bytes = self.encoded_len();
        if bytes > SMALL_BYTES {
            out.reserve(bytes);
            return self.encode_raw(out);
        }
        // A slice takes single bytes for much less than a buffer that may have to grow.
        let at = out.len();
        out.resize(at + bytes, 0);
        self.encode_raw(&mut &mut out[at..]);
    }
    fn protobuf_bytes(&self) -> Option<usize> {
        Some(self.encoded_len())
    }
    fn write_protobuf(&self, out: &mut Pieces<'_>) {
        self.encode_raw(out);
    }
    fn merge_protobuf(&mut self, bytes: Bytes) -> Result<(), Status> {
        prost::Message::merge(self, bytes)
            .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
    }
    fn merge_protobuf_slice(&mut self, bytes: &[u8]) -> Result<(), Status> {
        prost::Message::merge(self, bytes)
            .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
    }
    fn merge_protobuf_arriving(&mut self, bytes: &mut dyn Arriving) -> Result<(), Status> {
        crate::fields::merge(self, bytes)
            .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
    }
    fn as_serialize(&self) -> &dyn erased_serde::Serialize {
        self
    }
    fn deserialize(
        &mut self,
        from: &mut dyn erased_serde::Deserializer<'_>,
    ) -> Result<(), erased_serde::Error> {
        *self = erased_serde::deserialize(from)?;
        Ok(())
    }
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// A message on its way: the value, or bytes and what reads them.
#[derive(Clone)]
pub enum Payload {
    /// The value itself; only encoded where it leaves the process.
    Value(Arc<dyn Wire>),
    /// Bytes of a codec.
    Encoded(&'static dyn Codec, Bytes),
}

impl Payload {
    /// A value.
    pub fn of(message: impl Wire) -> Self {
        Self::Value(Arc::new(message))
    }

    /// The value, decoded where that is needed.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for bytes that are no `T`; [`Code::Internal`] for a value of
    /// another type.
    pub fn take<T: Message>(self) -> Result<T, Status> {
        match self {
            Self::Value(value) => match value.into_any().downcast::<T>() {
                Ok(value) => Ok(Arc::unwrap_or_clone(value)),
                Err(_) => Err(Status::new(
                    Code::Internal,
                    "the two sides in this process disagree about the message's type",
                )),
            },
            Self::Encoded(codec, bytes) => {
                let mut value = T::default();
                codec.decode(bytes, &mut value)?;
                Ok(value)
            }
        }
    }

    /// Appends its bytes in `codec`'s format.
    ///
    /// # Errors
    /// As [`Codec::encode`]; [`Code::Internal`] for bytes of another codec, whose type nobody
    /// here knows.
    pub fn append(&self, codec: &dyn Codec, out: &mut BytesMut) -> Result<(), Status> {
        match self {
            Self::Value(value) => codec.encode(&**value, out),
            Self::Encoded(own, bytes) if own.name() == codec.name() => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Self::Encoded(own, _) => Err(Status::new(
                Code::Internal,
                format!("bytes of {} cannot become {}", own.name(), codec.name()),
            )),
        }
    }

    /// How many bytes it has in `codec`'s format, where that is known before it is written.
    #[must_use]
    pub fn encoded_bytes(&self, codec: &dyn Codec) -> Option<usize> {
        match self {
            Self::Value(value) => codec.encoded_bytes(&**value),
            Self::Encoded(own, bytes) => (own.name() == codec.name()).then_some(bytes.len()),
        }
    }

    /// Writes exactly those bytes piece by piece; nothing, where it is not known how many they are.
    pub fn write(&self, codec: &dyn Codec, out: &mut Pieces<'_>) {
        match self {
            Self::Value(value) => codec.write(&**value, out),
            Self::Encoded(own, bytes) if own.name() == codec.name() => out.put_slice(bytes),
            Self::Encoded(..) => {}
        }
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(..)"),
            Self::Encoded(codec, bytes) => write!(f, "{} ({} bytes)", codec.name(), bytes.len()),
        }
    }
}
