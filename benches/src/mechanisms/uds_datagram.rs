//! Unix datagram sockets.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixDatagram},
};

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
    let socket = match side {
        Side::Server => {
            let flags = SocketFlags::CLOEXEC;
            let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
            meet.send_descriptors(&[theirs.as_fd()])?;
            ours
        }
        Side::Client => {
            let [socket] = meet.recv_descriptors()?;
            socket
        }
    };
    Ok(Box::new(Packets::new(socket)))
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = match side {
        Side::Server => {
            let (ours, theirs) = ipc_uds::pair_datagram()?;
            meet.send_descriptors(&[theirs.as_fd()])?;
            ours
        }
        Side::Client => {
            let [socket] = meet.recv_descriptors()?;
            ipc_uds::Datagram::from(socket)
        }
    };
    Ok(Box::new(Ours::new(socket)))
}

fn connect_std(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = match side {
        Side::Server => {
            let (ours, theirs) = UnixDatagram::pair()?;
            meet.send_descriptors(&[theirs.as_fd()])?;
            ours
        }
        Side::Client => {
            let [socket] = meet.recv_descriptors()?;
            UnixDatagram::from(socket)
        }
    };
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
