//! Pipes awaited, beside the same blocking.

use std::{io, os::fd::AsFd};

use crate::{awaited::alike, family::Family, meet::Meet, scenario::Side};

/// Pipes awaited.
pub fn family() -> Family {
    alike!("pipe-awaited", "a pipe each way", "ipc-pipe", connect)
}

fn connect(_: Side, meet: &Meet) -> io::Result<ipc_pipe::Stream> {
    let (tx, theirs) = ipc_pipe::pair()?;
    meet.send_descriptors(&[theirs.as_fd()])?;
    let [rx] = meet.recv_descriptors()?;
    let rx = ipc_pipe::Options::new().adopt_receiver(rx)?;
    Ok(ipc_pipe::Stream::join(tx, rx))
}
