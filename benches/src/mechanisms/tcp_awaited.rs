//! TCP awaited, beside the same blocking.

use std::{io, os::fd::OwnedFd};

use super::tcp::meet_by_tcp;
use crate::{awaited::alike, family::Family, meet::Meet, scenario::Side};

/// TCP awaited.
pub fn family() -> Family {
    alike!("tcp-awaited", "TCP over loopback", "ipc-net", connect)
}

fn connect(side: Side, meet: &Meet) -> io::Result<ipc_net::Stream> {
    Ok(OwnedFd::from(meet_by_tcp(side, meet)?).into())
}
