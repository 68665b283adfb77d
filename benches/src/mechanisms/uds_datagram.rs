//! Unix datagram sockets.

use std::{io, os::unix::net::UnixDatagram};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::{
    descriptors::{Packets, whole},
    family::{Endpoint, Family, Maker, Role, no_polling},
    limits::socket_buffer,
    meet::Meet,
    ours::Ours,
    scenario::{Shape, Side},
};

/// Unix datagram sockets.
pub fn family() -> Family {
    let raw = Maker {
        fits: socket_buffer,
        ..Maker::raw(connect_raw)
    };
    let std = Maker {
        fits: |shape| no_polling(shape).and_then(|()| socket_buffer(shape)),
        ..Maker::std(connect_std)
    };
    let ours = Maker {
        fits: socket_buffer,
        ..Maker::ours("ipc-uds", connect_ours)
    };
    Family {
        name: "uds-datagram",
        about: "Unix datagram sockets",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![raw, ours, std],
        sweep: None,
    }
}

fn connect_raw(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = meet.share(side, || {
        let flags = SocketFlags::CLOEXEC;
        Ok(socketpair(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            flags,
            None,
        )?)
    })?;
    Ok(Box::new(Packets::new(socket)))
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = meet.share(side, || Ok(ipc_uds::pair_datagram()?))?;
    Ok(Box::new(Ours::new(socket)))
}

fn connect_std(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = meet.share(side, UnixDatagram::pair)?;
    Ok(Box::new(StdDatagram(socket)))
}

struct StdDatagram(UnixDatagram);

impl Endpoint for StdDatagram {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        whole(self.0.send(message)?, message.len())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(self.0.recv(into)?, into.len())
    }
}
