//! Unix seqpacket sockets awaited, beside the same blocking.

use std::io;

use crate::{awaited::alike, family::Family, meet::Meet, scenario::Side};

/// Unix seqpacket sockets awaited.
pub fn family() -> Family {
    alike!(
        "seqpacket-awaited",
        "Unix seqpacket sockets",
        "ipc-uds",
        connect
    )
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_uds::SeqPacket> {
    meet.share(side, || Ok(ipc_uds::pair_seqpacket()?))
}
