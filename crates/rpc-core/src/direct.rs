//! Unary calls that are made and served by threads that wait for them: nothing is boxed or shared.

use crate::codec::Codec;
use crate::descriptor::MethodDescriptor;
use crate::stub::unread;
use crate::wire::Wire;
use crate::{Context, Status};
use bytes::Buf;
use std::time::Instant;

/// A unary call whose parts are lent, for a channel that waits for its answer on the thread that
/// calls.
pub struct DirectCall<'a> {
    /// What is called.
    pub method: &'static MethodDescriptor,
    /// Deadline, trace, identity, metadata.
    pub context: &'a Context,
    /// When its answer is of no use any more, whatever the context says.
    pub deadline: Instant,
    /// When it was made.
    pub now: Instant,
    /// What is sent.
    pub arguments: &'a dyn Wire,
    /// Where the answer goes, which is a default value.
    pub answer: &'a mut dyn Wire,
}

impl DirectCall<'_> {
    /// Takes the answer.
    ///
    /// # Errors
    /// [`Internal`](crate::Code::Internal) for bytes that are no such message.
    pub fn read(&mut self, codec: &dyn Codec, mut bytes: Came<'_>) -> Result<(), Status> {
        bytes.decode(codec, self.answer).map_err(unread)
    }
}

impl std::fmt::Debug for DirectCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectCall")
            .field("method", &self.method.name)
            .finish_non_exhaustive()
    }
}

/// The bytes of a message.
pub enum Came<'a> {
    /// They are here.
    Whole(&'a [u8]),
    /// They are read as they come.
    Arriving(&'a mut dyn Arriving),
}

/// Bytes that come while they are read.
///
/// How many remain is their sender's word, and memory follows what has come: `copy_to_bytes` grows
/// with it. Where nothing more comes, it gives fewer than it was asked for, what is read besides is
/// noughts, and there may be an end before the end that was told.
pub trait Arriving: Buf {
    /// Waits until so many of them have come, or no more come.
    fn wait_for(&mut self, bytes: usize);

    /// Whether all have come that were read.
    ///
    /// # Errors
    /// Why not: what was made of them is worth nothing.
    fn outcome(&self) -> Result<(), Status>;
}

impl Came<'_> {
    /// Reads them into `message`, which is a default value.
    ///
    /// # Errors
    /// As [`Codec::decode`]; [`Unavailable`](crate::Code::Unavailable) where they have not come.
    pub fn decode(&mut self, codec: &dyn Codec, message: &mut dyn Wire) -> Result<(), Status> {
        match self {
            Self::Whole(bytes) => codec.decode_slice(bytes, message),
            Self::Arriving(bytes) => {
                let decoded = codec.decode_arriving(*bytes, message);
                bytes.outcome().and(decoded)
            }
        }
    }
}

impl std::fmt::Debug for Came<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Arriving(bytes) => bytes.remaining(),
        };
        f.debug_struct("Came").field("bytes", &bytes).finish()
    }
}

/// A unary call that came, to be served on the thread that read it.
pub struct DirectRequest<'a> {
    /// What is called.
    pub method: &'static MethodDescriptor,
    /// Deadline, trace, identity, metadata.
    pub context: Context,
    /// When all of it had come that is here. Where its time is over by then, nothing runs.
    pub now: Instant,
    /// What reads its message.
    pub codec: &'static dyn Codec,
    /// The bytes of its message.
    pub message: Came<'a>,
    /// What is done with the answer, once.
    pub give: &'a mut dyn FnMut(&dyn Wire),
}

impl std::fmt::Debug for DirectRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectRequest")
            .field("method", &self.method.name)
            .finish_non_exhaustive()
    }
}
