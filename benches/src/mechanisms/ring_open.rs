//! A channel from nothing to its first message, and gone again.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::pipe::{PipeFlags, pipe_with};

use super::{permit::alone, region_make::make_raw};
use crate::{
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Shape, Side},
    sys::Region,
};

/// What the default channel reserves: two lines, 1,024 slots of a line, 1 MiB.
const SENDER_BYTES: usize = 2 * 64 + 1024 * 64 + (1 << 20);
/// The first message is a small one.
const LARGEST: usize = 4 << 10;
/// And what its receiver writes.
const RECEIVER_BYTES: usize = 2 * 64;

/// Channels made.
pub fn family() -> Family {
    let makes = |maker| Maker {
        copies: "2 (into and out of the channel)",
        fits: |shape| match shape.size <= LARGEST {
            true => alone(shape),
            false => Err(format!("a first message has at most {LARGEST} bytes here")),
        },
        verifies: false,
        ..maker
    };
    Family {
        name: "ring-open",
        about: "a channel made over a socket, its first message, dropped (raw: memory, pipes, \
                descriptors passed, prefault)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: true,
        makers: vec![
            makes(Maker::raw(connect_raw)),
            makes(Maker::ours("ipc-ring", connect_ours)),
        ],
        sweep: None,
    }
}

fn connect_ours(_: Side, _: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Ours))
}

/// A send does all of it.
struct Ours;

impl Endpoint for Ours {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let (left, right) = ipc_uds::pair_seqpacket()?;
        let options = ipc_ring::Options::new();
        let (left, right) = (options.begin(left)?, options.begin(right)?);
        left.finish()?;
        right.finish()?;
        let (left, right) = (left.channel()?, right.channel()?);
        left.sender().send(message)?;
        let mut back = [0; LARGEST];
        let len = right.receiver().recv(&mut back)?;
        same(message, &back[..len])
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

fn same(sent: &[u8], received: &[u8]) -> io::Result<()> {
    match sent == received {
        true => Ok(()),
        false => Err(io::Error::other("the first message came altered")),
    }
}

fn connect_raw(_: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let directory = meet.directory().to_owned();
    Ok(Box::new(Raw { directory }))
}

/// The same by plain calls: what is passed is believed.
struct Raw {
    directory: PathBuf,
}

/// What one side makes and what it was given.
struct RawEnd {
    sends: (Region, OwnedFd),
    _takes: (Region, OwnedFd),
    _bells: [OwnedFd; 2],
    given: Option<(Region, Region, [OwnedFd; 2])>,
    socket: Meet,
}

impl RawEnd {
    fn begin(socket: Meet) -> io::Result<RawEnd> {
        let (sends, takes) = (make_raw(SENDER_BYTES)?, make_raw(RECEIVER_BYTES)?);
        let (one, other) = (
            pipe_with(PipeFlags::CLOEXEC)?,
            pipe_with(PipeFlags::CLOEXEC)?,
        );
        socket.send_descriptors(&[
            sends.1.as_fd(),
            takes.1.as_fd(),
            one.1.as_fd(),
            other.1.as_fd(),
        ])?;
        Ok(RawEnd {
            sends,
            _takes: takes,
            _bells: [one.0, other.0],
            given: None,
            socket,
        })
    }

    fn finish(&mut self) -> io::Result<()> {
        let [sends, takes, one, other] = self.socket.recv_descriptors()?;
        let sends = Region::map(sends, SENDER_BYTES)?;
        let takes = Region::map(takes, RECEIVER_BYTES)?;
        self.given = Some((sends, takes, [one, other]));
        Ok(())
    }
}

impl Raw {
    fn make(directory: &Path) -> io::Result<[RawEnd; 2]> {
        let (left, right) = Meet::pair(directory, 0)?;
        let (mut left, mut right) = (RawEnd::begin(left)?, RawEnd::begin(right)?);
        left.finish()?;
        right.finish()?;
        Ok([left, right])
    }
}

impl Endpoint for Raw {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let [left, right] = Raw::make(&self.directory)?;
        left.sends.0.write(0, message);
        let (sends, ..) = right.given.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut back = [0; LARGEST];
        let back = &mut back[..message.len()];
        sends.read(0, back);
        same(message, back)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}
