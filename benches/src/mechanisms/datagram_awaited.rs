//! Unix datagram sockets awaited, beside the same blocking.

use std::io;

use crate::{awaited::alike, family::Family, meet::Meet, scenario::Side};

/// Unix datagram sockets awaited.
pub fn family() -> Family {
    alike!(
        "datagram-awaited",
        "Unix datagram sockets",
        "ipc-uds",
        connect
    )
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_uds::Datagram> {
    meet.share(side, || Ok(ipc_uds::pair_datagram()?))
}
