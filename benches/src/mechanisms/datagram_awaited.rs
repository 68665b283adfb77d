//! Unix datagram sockets awaited, beside the same blocking.

use std::io;

use crate::{
    awaited::{self, Awaited},
    family::Family,
    meet::Meet,
    ours::Ours,
    scenario::Side,
};

/// Unix datagram sockets awaited.
pub fn family() -> Family {
    awaited::family(
        "datagram-awaited",
        "Unix datagram sockets with .await on tokio (blocking: the same, without)",
        "ipc-uds",
        |side, meet, _| Ok(Box::new(Ours::new(connect(side, meet)?))),
        |side, meet, _| Ok(Box::new(Awaited::new(connect(side, meet)?)?)),
    )
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_uds::Datagram> {
    meet.share(side, || Ok(ipc_uds::pair_datagram()?))
}
