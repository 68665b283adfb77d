//! More descriptors than the kernel carries with one message: a list that arrives whole or not.
//!
//! A message carries 253, so a list is several messages. Sent over the connection itself they
//! could be torn by the sender's death, and mingle with others'. So they go into a socket pair of
//! their own, whose one end is closed and whose other end goes, with all that waits in it, as the
//! one descriptor of one message: the kernel hands that over whole or not at all, and closes all
//! of it when nobody has any of it any more.

use crate::ancillary::{Ancillary, MAX_FDS};
use crate::datagram::Datagram;
use crate::seqpacket::SeqPacket;
use crate::socket::message;
use crate::stream::Stream;
use crate::sys;
use ipc_core::{Error, ErrorKind, Result, TryRecvFdList, TrySendFdList, Until, four_forms};
use ipc_sys::os_error;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most descriptors of one list: 4,048, the load of 16 messages. A process may have 1,024 by
/// default (RLIMIT_NOFILE), and one without privilege have as many under way.
pub const MAX_LISTED_FDS: usize = 16 * MAX_FDS;

/// Tells a part of a list from whatever else a socket may bring.
const MARK: u32 = u32::from_ne_bytes(*b"fdl1");
/// The mark, how many descriptors the list has, and how many came before this part.
const HEAD: usize = 12;

macro_rules! lists {
    ($kind:ident) => {
        impl $kind {
            four_forms! {
                /// Sends `message` and any number of descriptors up to
                /// [`MAX_LISTED_FDS`], which arrive all or none; for a receiver that calls
                /// `recv_fd_list`.
                ///
                /// # Errors
                /// As `send_with_fds`; [`TooLarge`](ErrorKind::TooLarge) above
                /// [`MAX_LISTED_FDS`]; [`LimitReached`](ErrorKind::LimitReached) where this user
                /// has more descriptors under way than the kernel lets it (RLIMIT_NOFILE).
                send_fd_list / try_send_fd_list / send_fd_list_timeout / send_fd_list_deadline
                    = send_fd_list_until(message: &[u8], fds: &[BorrowedFd<'_>]) -> ()
            }

            four_forms! {
                /// Receives what `send_fd_list` sends: a message into `buffer`, and its
                /// descriptors into `ancillary`, in the sender's order, if they are at most
                /// `most`. Returns the message's length.
                ///
                /// # Errors
                /// As `recv_with_fds`; [`Truncated`](ErrorKind::Truncated) for more descriptors
                /// than `most`, [`Corrupt`](ErrorKind::Corrupt) for a list that is not whole, or
                /// a message without any. Then all are closed, and a connection is cut.
                recv_fd_list / try_recv_fd_list / recv_fd_list_timeout / recv_fd_list_deadline
                    = recv_fd_list_until(
                        buffer: &mut [u8],
                        ancillary: &mut Ancillary,
                        most: usize,
                    ) -> usize
            }

            fn send_fd_list_until(
                &self,
                message: &[u8],
                fds: &[BorrowedFd<'_>],
                until: Until,
            ) -> Result<()> {
                let carrier = pack(fds)?;
                self.send_with_fds_until(message, &[carrier.as_fd()], until)
            }

            fn recv_fd_list_until(
                &self,
                buffer: &mut [u8],
                ancillary: &mut Ancillary,
                most: usize,
                until: Until,
            ) -> Result<usize> {
                let length = self.recv_with_fds_until(buffer, ancillary, until)?;
                let unpacked = unpack(ancillary, most).and_then(|()| self.charge(ancillary));
                match unpacked {
                    Ok(()) => Ok(length),
                    Err(error) => {
                        ancillary.drop_fds();
                        self.cut();
                        Err(error)
                    }
                }
            }
        }

        impl TrySendFdList for $kind {
            fn try_send_fd_list(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
                self.send_fd_list_until(message, fds, Until::Now)
            }
        }

        impl TryRecvFdList for $kind {
            fn try_recv_fd_list(
                &self,
                buffer: &mut [u8],
                ancillary: &mut Ancillary,
                most: usize,
            ) -> Result<usize> {
                self.recv_fd_list_until(buffer, ancillary, most, Until::Now)
            }
        }
    };
}

lists!(Stream);
lists!(SeqPacket);
lists!(Datagram);

/// A socket in which `fds` wait to be received, whose other end is closed.
fn pack(fds: &[BorrowedFd<'_>]) -> Result<OwnedFd> {
    if fds.len() > MAX_LISTED_FDS {
        return Err(Error::new("send", ErrorKind::TooLarge).hint(format!(
            "{} descriptors are above the limit {MAX_LISTED_FDS} for one list",
            fds.len()
        )));
    }
    let (carrier, inlet) = sys::pair(sys::SEQPACKET)?;
    let mut before = 0;
    loop {
        let part = &fds[before..fds.len().min(before + MAX_FDS)];
        let head = head(fds.len(), before);
        put(inlet.as_fd(), &head, part)?;
        before += part.len();
        if before == fds.len() {
            return Ok(carrier);
        }
    }
}

fn put(inlet: BorrowedFd<'_>, head: &[u8], part: &[BorrowedFd<'_>]) -> Result<()> {
    let refuse = |errno: Errno, why| {
        let error = Error::new("send", ErrorKind::LimitReached);
        Err(error.hint(why).caused_by(errno.into()))
    };
    loop {
        match sys::send_message(inlet, &message(&[], head, part, None), libc::MSG_DONTWAIT) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno @ Errno::TOOMANYREFS) => {
                return refuse(
                    errno,
                    "this user has as many descriptors under way as it may have open \
                     (RLIMIT_NOFILE): let receivers take some, or raise it with `ulimit -n`",
                );
            }
            Err(errno @ Errno::AGAIN) => {
                let why = "a send buffer holds no list of this length (net.core.wmem_default)";
                return refuse(errno, why);
            }
            Err(errno) => return Err(os_error("send", errno)),
        }
    }
}

fn head(total: usize, before: usize) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    // Both are at most `MAX_LISTED_FDS`.
    let words = [MARK, total as u32, before as u32];
    for (place, word) in head.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    head
}

/// Replaces the one descriptor in `ancillary`, a carrier, by what waits in it. It never waits:
/// what is not there already does not come.
fn unpack(ancillary: &mut Ancillary, most: usize) -> Result<()> {
    let mut came = ancillary.take_fds();
    let (Some(carrier), None) = (came.next(), came.next()) else {
        return Err(corrupt("a list is one descriptor, and something else came"));
    };
    drop(came);
    if sys::is_seqpacket(carrier.as_fd()) != Ok(true) {
        return Err(corrupt(
            "the descriptor that came is no socket that brings a list",
        ));
    }
    let (mut list, mut part) = (Vec::new(), Ancillary::new());
    let mut first = None;
    loop {
        let total = take_part(&carrier, &mut part, list.len())?;
        if total != *first.get_or_insert(total) {
            return Err(corrupt("the parts of the list are not of one length"));
        }
        if total > most {
            return Err(Error::new("recv", ErrorKind::Truncated).hint(format!(
                "a list of {total} descriptors came, of which {most} are taken, so all were \
                 closed; take more where that many are meant"
            )));
        }
        let count = part.fds().len();
        if count > total - list.len() || (count == 0 && total > 0) {
            return Err(corrupt("the parts of the list are not what they say"));
        }
        list.extend(part.take_fds());
        if list.len() == total {
            ancillary.put_fds(list);
            return Ok(());
        }
    }
}

/// Receives one part, before which `before` descriptors came; returns how many the list has.
fn take_part(carrier: &OwnedFd, part: &mut Ancillary, before: usize) -> Result<usize> {
    let mut head = [0; HEAD];
    let length = part.fill(MAX_FDS, |room, intake| {
        loop {
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
            let take = |message: sys::Cmsg<'_>| intake.take(message);
            match sys::recv_message(carrier.as_fd(), &mut head, &mut *room, flags, take) {
                Ok(received) => return Ok(received),
                Err(Errno::INTR) => {}
                Err(_) => return Err(corrupt("a list came that is not all there")),
            }
        }
    })?;
    let word = |at: usize| {
        head.get(at..)?
            .first_chunk()
            .copied()
            .map(u32::from_ne_bytes)
    };
    match (word(0), word(4), word(8)) {
        (Some(MARK), Some(total), Some(said))
            if length == HEAD && usize::try_from(said) == Ok(before) =>
        {
            // One above the limit is above what any receiver takes.
            Ok(usize::try_from(total).unwrap_or(usize::MAX))
        }
        _ => Err(corrupt("a list came that is not all there")),
    }
}

#[cold]
fn corrupt(why: &'static str) -> Error {
    Error::new("recv", ErrorKind::Corrupt).hint(why)
}
