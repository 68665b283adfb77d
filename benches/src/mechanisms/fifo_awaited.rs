//! FIFOs awaited, beside the same blocking.

use std::io;

use super::fifo::ends;
use crate::{
    awaited::{self, Awaited},
    family::Family,
    meet::Meet,
    ours::Ours,
    scenario::Side,
};

/// FIFOs awaited.
pub fn family() -> Family {
    awaited::family(
        "fifo-awaited",
        "a FIFO each way with .await on tokio (blocking: the same, without)",
        "ipc-pipe",
        |side, meet, _| Ok(Box::new(Ours::new(connect(side, meet)?))),
        |side, meet, _| Ok(Box::new(Awaited::new(connect(side, meet)?)?)),
    )
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_pipe::Stream> {
    let pipes = ends(side, meet)?;
    Ok(ipc_pipe::Stream::join(pipes.tx, pipes.rx))
}
