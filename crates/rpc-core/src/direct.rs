//! Unary calls that are made and served by threads that wait for them: nothing is boxed or shared.

use crate::codec::Codec;
use crate::descriptor::MethodDescriptor;
use crate::stub::unread;
use crate::wire::Wire;
use crate::{Context, Status};
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
    pub fn read(&mut self, codec: &dyn Codec, bytes: &[u8]) -> Result<(), Status> {
        codec.decode_slice(bytes, self.answer).map_err(unread)
    }
}

impl std::fmt::Debug for DirectCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectCall")
            .field("method", &self.method.name)
            .finish_non_exhaustive()
    }
}

/// A unary call that came, to be served on the thread that read it.
pub struct DirectRequest<'a> {
    /// What is called.
    pub method: &'static MethodDescriptor,
    /// Deadline, trace, identity, metadata.
    pub context: Context,
    /// When it came.
    pub now: Instant,
    /// What reads its message.
    pub codec: &'static dyn Codec,
    /// The bytes of its message.
    pub message: &'a [u8],
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
