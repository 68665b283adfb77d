//! The try-forms of the verbs as traits, for code that is generic over mechanisms.

use crate::{Pollable, Result};

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
