//! Why a socket did not do what it was told, in words of the toolkit.

use crate::socket::Socket;
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::os_error;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

impl Socket {
    /// The end of the stream: an ordinary one, or the peer's death, or that time is over before
    /// it is known which.
    #[cold]
    pub(crate) fn end(&self, operation: &'static str, until: Until) -> Error {
        let died = match &self.watch {
            None => Some(false),
            Some(watch) => watch.ended_by_death(until),
        };
        match died {
            Some(true) => Error::new(operation, ErrorKind::PeerDied),
            Some(false) => Error::new(operation, ErrorKind::Closed),
            None => until.over(operation),
        }
    }

    #[cold]
    pub(crate) fn failed(&self, operation: &'static str, errno: Errno, until: Until) -> Error {
        match errno {
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => {
                let end = self.end(operation, until);
                match end.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => end,
                    _ => end.caused_by(errno.into()),
                }
            }
            errno => self.failure(operation, errno),
        }
    }

    #[cold]
    pub(crate) fn failure(&self, operation: &'static str, errno: Errno) -> Error {
        match errno {
            Errno::MSGSIZE => {
                let room = rustix::net::sockopt::socket_send_buffer_size(self.fd()).unwrap_or(0);
                Error::new(operation, ErrorKind::TooLarge)
                    .hint(format!(
                        "the message does not fit the send buffer of {room} bytes; raise it with \
                         Options::send_buffer_bytes (up to net.core.wmem_max)"
                    ))
                    .caused_by(errno.into())
            }
            Errno::NOBUFS | Errno::NOMEM => Error::new(operation, ErrorKind::TooLarge)
                .hint("the kernel has no memory in one piece for a message of this size")
                .caused_by(errno.into()),
            errno => os_error(operation, errno),
        }
    }
}

/// A message that did not fit: the kernel has taken it away, cut.
#[cold]
pub(crate) fn did_not_fit(length: usize, room: usize) -> Error {
    Error::new("recv", ErrorKind::TooLarge).hint(format!(
        "the message has {length} bytes, the buffer {room}: it is lost; receive into a larger one"
    ))
}

/// Refuses more descriptors than the kernel carries with one message.
#[inline]
pub(crate) fn check_fds(fds: &[BorrowedFd<'_>]) -> Result<()> {
    if fds.len() <= crate::MAX_FDS {
        return Ok(());
    }
    Err(Error::new("send", ErrorKind::TooLarge).hint(format!(
        "{} descriptors are above the kernel's limit {} for one message; send them in several",
        fds.len(),
        crate::MAX_FDS
    )))
}
