//! FIFOs awaited, beside the same blocking.

use std::io;

use super::fifo::ends;
use crate::{awaited::alike, family::Family, meet::Meet, scenario::Side};

/// FIFOs awaited.
pub fn family() -> Family {
    alike!("fifo-awaited", "a FIFO each way", "ipc-pipe", connect)
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_pipe::Stream> {
    let pipes = ends(side, meet)?;
    Ok(ipc_pipe::Stream::join(pipes.tx, pipes.rx))
}
