//! Where the two sides of a connection find each other: a seqpacket pair that carries bytes and
//! descriptors between the two worker processes.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::scenario::Side;

/// Descriptors that one message may carry here.
const MAX_DESCRIPTORS: usize = 16;

/// One side's view of the meeting place.
#[derive(Debug)]
pub struct Meet {
    socket: OwnedFd,
    directory: PathBuf,
    tag: u32,
    cpus: Vec<usize>,
}

impl Meet {
    /// The side that holds `socket`, with a directory and a number that only this pair uses.
    pub fn new(socket: OwnedFd, directory: PathBuf, tag: u32) -> Meet {
        Meet {
            socket,
            directory,
            tag,
            cpus: Vec::new(),
        }
    }

    /// The same with the CPUs of the run.
    pub fn on(self, cpus: Vec<usize>) -> Meet {
        Meet { cpus, ..self }
    }

    /// Two sides in one process.
    pub fn pair(directory: &Path, tag: u32) -> io::Result<(Meet, Meet)> {
        let (one, other) = seqpacket_pair()?;
        let meet = |socket| Meet::new(socket, directory.to_owned(), tag);
        Ok((meet(one), meet(other)))
    }

    /// Sends some bytes to the other side.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        send_with(&self.socket, bytes, &[])
    }

    /// Receives the other side's next bytes.
    pub fn recv(&self) -> io::Result<Vec<u8>> {
        receive_with(&self.socket, 4096).map(|(bytes, _)| bytes)
    }

    /// Gives descriptors to the other side.
    pub fn send_descriptors(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        send_with(&self.socket, b"descriptors", descriptors)
    }

    /// Takes exactly `N` descriptors from the other side.
    pub fn recv_descriptors<const N: usize>(&self) -> io::Result<[OwnedFd; N]> {
        let (_, descriptors) = receive_with(&self.socket, 64)?;
        <[OwnedFd; N]>::try_from(descriptors)
            .map_err(|got| io::Error::other(format!("{} descriptors instead of {N}", got.len())))
    }

    /// Two connected ends, one for each side: the server makes both and gives the other away.
    pub fn share<T: AsFd + From<OwnedFd>>(
        &self,
        side: Side,
        make: impl FnOnce() -> io::Result<(T, T)>,
    ) -> io::Result<T> {
        match side {
            Side::Server => {
                let (ours, theirs) = make()?;
                self.send_descriptors(&[theirs.as_fd()])?;
                Ok(ours)
            }
            Side::Client => {
                let [end] = self.recv_descriptors()?;
                Ok(T::from(end))
            }
        }
    }

    /// A directory for names, removed by the orchestrator.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The CPUs of the run, for processes that are not bound to one.
    pub fn cpus(&self) -> &[usize] {
        &self.cpus
    }

    /// A number that no other pair of this machine uses meanwhile.
    pub fn tag(&self) -> u32 {
        self.tag
    }
}

/// A connected pair of seqpacket sockets.
pub fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// Sends one packet with descriptors. A dead peer is an error, never a signal.
pub fn send_with(
    socket: impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other(format!(
            "more than {MAX_DESCRIPTORS} descriptors"
        )));
    }
    let parts = [IoSlice::new(bytes)];
    rustix::io::retry_on_intr(|| sendmsg(&socket, &parts, &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives one packet of at most `max` bytes and its descriptors; an error where the other side
/// has gone.
pub fn receive_with(socket: impl AsFd, max: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; max];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::io::retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        recvmsg(&socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if got.bytes > max {
        return Err(io::Error::other(format!("a packet above {max} bytes")));
    }
    bytes.truncate(got.bytes);
    Ok((bytes, descriptors))
}
