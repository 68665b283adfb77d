//! UDP over the loopback interface.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    os::fd::OwnedFd,
};

use crate::{
    abilities::Abilities,
    descriptors::{Packets, whole},
    family::{Endpoint, Family, Maker, Role, no_polling},
    fan_in::FanIn,
    limits::loopback,
    meet::Meet,
    ours::Ours,
    scenario::{Shape, Side},
};

/// What one datagram over IPv4 can hold (RFC 768, RFC 791).
const MAX_BYTES: usize = 65_507;

/// UDP over loopback.
pub fn family() -> Family {
    let raw = Maker {
        probe: loopback,
        fits: datagram,
        window,
        fan_in: Some(FanIn {
            receiver: |meets, _| receive(meets),
            sender: |meet, _| send(meet),
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        ..Maker::raw(connect_raw)
    };
    let std = Maker {
        probe: loopback,
        fits: |shape| no_polling(shape).and_then(|()| datagram(shape)),
        window,
        ..Maker::std(connect_std)
    };
    let ours = Maker {
        probe: loopback,
        fits: datagram,
        window,
        ..Maker::ours("ipc-net", connect_ours)
    };
    Family {
        name: "udp",
        about: "UDP over loopback; streams are held back by the bench, as UDP itself would drop",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![raw, ours, std],
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}

pub(super) fn datagram(shape: &Shape) -> Result<(), String> {
    if shape.size > MAX_BYTES {
        return Err(format!("a datagram holds {MAX_BYTES} bytes"));
    }
    Ok(())
}

/// UDP drops what its receiver has no room for: stay far below the default buffer (212,992 bytes,
/// of which a datagram takes about twice its payload).
pub(super) fn window(size: usize) -> Option<u32> {
    Some((80_000 / (size + 1024)).clamp(1, 32) as u32)
}

pub(super) fn connect_raw(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Packets::new(OwnedFd::from(meet_by_udp(
        side, meet,
    )?))))
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Ours::new(socket(side, meet)?)))
}

/// A socket of our crate.
pub(super) fn socket(side: Side, meet: &Meet) -> io::Result<ipc_net::Datagram> {
    let socket = OwnedFd::from(meet_by_udp(side, meet)?);
    Ok(ipc_net::Datagram::from(socket))
}

fn connect_std(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(StdUdp(meet_by_udp(side, meet)?)))
}

pub(crate) fn meet_by_udp(side: Side, meet: &Meet) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mine = socket.local_addr()?.port().to_le_bytes();
    let theirs = match side {
        Side::Server => {
            meet.send(&mine)?;
            meet.recv()?
        }
        Side::Client => {
            let theirs = meet.recv()?;
            meet.send(&mine)?;
            theirs
        }
    };
    socket.connect((Ipv4Addr::LOCALHOST, port(theirs)?))?;
    Ok(socket)
}

/// One bound socket for all senders.
fn receive(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mine = socket.local_addr()?.port().to_le_bytes();
    meets.iter().try_for_each(|meet| meet.send(&mine))?;
    Ok(Box::new(Packets::new(OwnedFd::from(socket))))
}

fn send(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, port(meet.recv()?)?))?;
    Ok(Box::new(Packets::new(OwnedFd::from(socket))))
}

fn port(bytes: Vec<u8>) -> io::Result<u16> {
    let bytes = <[u8; 2]>::try_from(bytes);
    let bytes = bytes.map_err(|_| io::Error::other("a port has two bytes"))?;
    Ok(u16::from_le_bytes(bytes))
}

struct StdUdp(UdpSocket);

impl Endpoint for StdUdp {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        whole(self.0.send(message)?, message.len())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(self.0.recv(into)?, into.len())
    }
}
