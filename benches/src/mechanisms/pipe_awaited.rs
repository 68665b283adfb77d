//! Pipes awaited, beside the same blocking.

use std::{io, os::fd::AsFd};

use crate::{
    awaited::{self, Awaited},
    family::Family,
    meet::Meet,
    ours::Ours,
    scenario::Side,
};

/// Pipes awaited.
pub fn family() -> Family {
    awaited::family(
        "pipe-awaited",
        "a pipe each way with .await on tokio (blocking: the same, without)",
        "ipc-pipe",
        |side, meet, _| Ok(Box::new(Ours::new(connect(side, meet)?))),
        |side, meet, _| Ok(Box::new(Awaited::new(connect(side, meet)?)?)),
    )
}

fn connect(_: Side, meet: &Meet) -> io::Result<ipc_pipe::Stream> {
    let (tx, theirs) = ipc_pipe::pair()?;
    meet.send_descriptors(&[theirs.as_fd()])?;
    let [rx] = meet.recv_descriptors()?;
    let rx = ipc_pipe::Options::new().adopt_receiver(rx)?;
    Ok(ipc_pipe::Stream::join(tx, rx))
}
