//! Framed messages over Unix stream sockets, against the same bytes without frames.

use std::io;

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    mechanisms::uds_stream,
    meet::Meet,
    ours::Ours,
    scenario::{Shape, Side},
};

/// Framed messages over Unix stream sockets.
pub fn family() -> Family {
    Family {
        name: "uds-framed",
        about: "framed messages over Unix stream sockets (raw: the bytes without frames)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            Maker::raw(uds_stream::connect_raw),
            Maker::ours("ipc-uds", connect_ours),
        ],
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_descriptors())
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = meet.share(side, || Ok(ipc_uds::pair()?))?;
    let max = ipc_core::Framed::<ipc_uds::Stream>::LARGEST_MAX_MESSAGE_BYTES;
    let framed = ipc_core::Framed::with_max_message_bytes(socket, max)?;
    Ok(Box::new(Ours::new(framed)))
}
