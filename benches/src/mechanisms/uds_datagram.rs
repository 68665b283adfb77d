//! Unix datagram sockets.

use std::{io, os::unix::net::UnixDatagram, path::PathBuf};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::{
    abilities::Abilities,
    descriptors::{Packets, whole},
    family::{Endpoint, Family, Maker, Role, no_polling},
    fan_in::FanIn,
    limits::socket_buffer,
    meet::Meet,
    ours::Ours,
    scenario::{Shape, Side},
};

/// Unix datagram sockets.
pub fn family() -> Family {
    let raw = Maker {
        fits: socket_buffer,
        fan_in: Some(FanIn {
            receiver: |meets, _| receive_raw(meets),
            sender: |meet, _| send_raw(meet),
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        ..Maker::raw(connect_raw)
    };
    let std = Maker {
        fits: |shape| no_polling(shape).and_then(|()| socket_buffer(shape)),
        ..Maker::std(connect_std)
    };
    let ours = Maker {
        fits: socket_buffer,
        fan_in: Some(FanIn {
            receiver: |meets, _| receive_ours(meets),
            sender: |meet, _| send_ours(meet),
            whole_up_to: usize::MAX,
            stamped: true,
        }),
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
    .able(Abilities::MESSAGES.with_descriptors())
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

/// One bound socket, to which every sender connects its own; then its name goes.
fn receive_raw(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let path = many_path("raw", &meets[0]);
    let socket = UnixDatagram::bind(&path)?;
    all_connect(meets)?;
    std::fs::remove_file(path)?;
    Ok(Box::new(Packets::new(socket.into())))
}

fn send_raw(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    meet.recv()?;
    let socket = UnixDatagram::unbound()?;
    socket.connect(many_path("raw", meet))?;
    meet.send(b"connected")?;
    Ok(Box::new(Packets::new(socket.into())))
}

fn receive_ours(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let path = many_path("ours", &meets[0]);
    let socket = ipc_uds::Options::new().bind_datagram(path)?;
    all_connect(meets)?;
    Ok(Box::new(Ours::new(socket)))
}

fn send_ours(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    meet.recv()?;
    let socket = ipc_uds::Options::new().connect_datagram(many_path("ours", meet))?;
    meet.send(b"connected")?;
    Ok(Box::new(Ours::new(socket)))
}

fn many_path(maker: &str, meet: &Meet) -> PathBuf {
    meet.directory().join(format!("many-{maker}-{}", meet.tag()))
}

fn all_connect(meets: &[Meet]) -> io::Result<()> {
    meets.iter().try_for_each(|meet| meet.send(b"bound"))?;
    meets.iter().try_for_each(|meet| meet.recv().map(drop))
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
