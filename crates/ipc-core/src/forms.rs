//! The try-forms of the verbs as traits, for code that is generic over mechanisms.

use crate::{Pollable, Result};
use std::os::fd::{BorrowedFd, OwnedFd};

/// An endpoint that takes messages or bytes.
pub trait TrySend: Pollable {
    /// Sends `message` without waiting. `Ok` means accepted, whole: a tail that does not fit now
    /// is owed, and goes out before anything else does (see [`Flush`]).
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock): nothing of it is out.
    fn try_send(&self, message: &[u8]) -> Result<()>;
}

/// An endpoint that gives messages or bytes.
pub trait TryRecv: Pollable {
    /// Receives into `buffer` without waiting; returns the length in bytes.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock), and [`Closed`](crate::ErrorKind::Closed) at
    /// the end.
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize>;
}

/// An endpoint that gives messages of any length.
pub trait TryRecvVec: Pollable {
    /// Receives one message without waiting: `buffer` is replaced by it.
    ///
    /// # Errors
    /// As [`TryRecv::try_recv`].
    fn try_recv_vec(&self, buffer: &mut Vec<u8>) -> Result<()>;
}

/// An endpoint that takes messages for many receivers.
pub trait TrySendTo: Pollable {
    /// What says who receives.
    type Address;

    /// Sends `message` to `address` without waiting.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock): nothing of it is out.
    fn try_send_to(&self, message: &[u8], address: &Self::Address) -> Result<()>;

    /// A descriptor that becomes writable when `address` has room again, where the endpoint's own
    /// does not show it; none where there is nothing to wait for, and the next try tells.
    ///
    /// # Errors
    /// As [`try_send_to`](TrySendTo::try_send_to).
    fn room_at(&self, address: &Self::Address) -> Result<Option<OwnedFd>>;
}

/// An endpoint that says from whom each message came.
pub trait TryRecvFrom: Pollable {
    /// What says who sent.
    type Address;

    /// Receives into `buffer` without waiting; returns the length in bytes, and the sender.
    ///
    /// # Errors
    /// As [`TryRecv::try_recv`].
    fn try_recv_from(&self, buffer: &mut [u8]) -> Result<(usize, Self::Address)>;
}

/// An endpoint that takes descriptors with a message.
pub trait TrySendFds: Pollable {
    /// Sends `message` and `fds` with it, without waiting; a tail may be owed, as by
    /// [`TrySend::try_send`].
    ///
    /// # Errors
    /// As [`TrySend::try_send`].
    fn try_send_with_fds(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()>;
}

/// An endpoint that takes descriptors with a message, for many receivers.
pub trait TrySendFdsTo: TrySendTo {
    /// Sends `message` and `fds` to `address` without waiting.
    ///
    /// # Errors
    /// As [`TrySendTo::try_send_to`].
    fn try_send_with_fds_to(
        &self,
        message: &[u8],
        fds: &[BorrowedFd<'_>],
        address: &Self::Address,
    ) -> Result<()>;
}

/// An endpoint that gives what came with a message.
pub trait TryRecvFds: Pollable {
    /// Where it puts that.
    type Ancillary;

    /// Receives into `buffer` and `ancillary` without waiting; returns the length in bytes.
    ///
    /// # Errors
    /// As [`TryRecv::try_recv`].
    fn try_recv_with_fds(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Self::Ancillary,
    ) -> Result<usize>;
}

/// An endpoint that takes several messages with one call.
pub trait TrySendBatch: Pollable {
    /// Sends as many of `messages` as there is room for, without waiting; returns how many.
    ///
    /// # Errors
    /// As [`TrySend::try_send`], for the first of them.
    fn try_send_batch(&self, messages: &[&[u8]]) -> Result<usize>;
}

/// An endpoint that gives several messages with one call.
pub trait TryRecvBatch: Pollable {
    /// Where it puts them.
    type Batch;

    /// Receives all that are there, at most `most`, without waiting; `batch` is replaced by them.
    /// Returns how many they are.
    ///
    /// # Errors
    /// As [`TryRecv::try_recv`].
    fn try_recv_batch(&self, batch: &mut Self::Batch, most: usize) -> Result<usize>;
}

/// An endpoint that takes lists of descriptors of any length.
pub trait TrySendFdList: Pollable {
    /// Sends `message` and `fds`, which arrive all or none, without waiting; a tail of the message
    /// may be owed, as by [`TrySend::try_send`].
    ///
    /// # Errors
    /// As [`TrySend::try_send`].
    fn try_send_fd_list(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()>;
}

/// An endpoint that gives lists of descriptors of any length.
pub trait TryRecvFdList: TryRecvFds {
    /// Receives a message into `buffer`, and its descriptors, at most `most`, into `ancillary`,
    /// without waiting; returns the message's length in bytes.
    ///
    /// # Errors
    /// As [`TryRecv::try_recv`].
    fn try_recv_fd_list(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Self::Ancillary,
        most: usize,
    ) -> Result<usize>;
}

/// An endpoint that accepts connections.
pub trait TryAccept: Pollable {
    /// What a connection is.
    type Connection;

    /// Accepts a connection without waiting.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) where none is waiting.
    fn try_accept(&self) -> Result<Self::Connection>;
}

/// An endpoint at which something happens: an event, a signal, the end of a child.
pub trait TryWait: Pollable {
    /// What a wait is told.
    type Happened;

    /// Takes what has happened, without waiting.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) where nothing has.
    fn try_wait(&self) -> Result<Self::Happened>;
}

/// An endpoint that may owe the tail of a message which it has accepted.
///
/// A message of which one byte is out cannot be taken back, so its sender owns the rest. Verbs
/// that follow finish the debt first; `try_flush` does it without sending more.
pub trait Flush: Pollable {
    /// Writes what is owed without waiting.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) while something is still owed.
    fn try_flush(&self) -> Result<()>;
}
