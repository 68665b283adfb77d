//! Unix stream sockets awaited, beside the same blocking.

use std::io;

use crate::{awaited::alike, family::Family, meet::Meet, scenario::Side};

/// Unix stream sockets awaited.
pub fn family() -> Family {
    alike!("uds-awaited", "Unix stream sockets", "ipc-uds", connect)
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_uds::Stream> {
    meet.share(side, || Ok(ipc_uds::pair()?))
}
