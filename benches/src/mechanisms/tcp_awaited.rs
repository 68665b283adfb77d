//! TCP awaited, beside the same blocking.

use std::{io, os::fd::OwnedFd};

use super::tcp::meet_by_tcp;
use crate::{
    awaited::{self, Awaited},
    family::Family,
    meet::Meet,
    ours::Ours,
    scenario::Side,
};

/// TCP awaited.
pub fn family() -> Family {
    awaited::family(
        "tcp-awaited",
        "TCP over loopback with .await on tokio (blocking: the same, without)",
        "ipc-net",
        |side, meet, _| Ok(Box::new(Ours::new(connect(side, meet)?))),
        |side, meet, _| Ok(Box::new(Awaited::new(connect(side, meet)?)?)),
    )
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_net::Stream> {
    Ok(OwnedFd::from(meet_by_tcp(side, meet)?).into())
}
