//! TCP over the loopback interface, without Nagle's delay.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::OwnedFd,
};

use crate::{
    abilities::Abilities,
    descriptors::{ByteStream, StdStream, set_polling},
    family::{Endpoint, Family, Maker, Role, no_polling},
    fan_in::{FanIn, Polled},
    limits::loopback,
    meet::Meet,
    ours::Ours,
    scenario::{Scenario, Shape, Side},
};

/// What surely fits into a fresh connection while nobody reads.
const UNREAD_MAX: usize = 4096;

/// TCP over loopback.
pub fn family() -> Family {
    let raw = Maker {
        probe: loopback,
        fits: unread,
        fan_in: Some(FanIn {
            receiver: |meets, shape| {
                Polled::connect(meets, |meet| raw(Side::Server, meet, shape))
            },
            sender: |meet, shape| connect_raw(Side::Client, meet, shape),
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        ..Maker::raw(connect_raw)
    };
    let std = Maker {
        probe: loopback,
        fits: |shape| no_polling(shape).and_then(|()| unread(shape)),
        ..Maker::std(connect_std)
    };
    let ours = Maker {
        probe: loopback,
        fits: unread,
        ..Maker::ours("ipc-net", connect_ours)
    };
    Family {
        name: "tcp",
        about: "TCP over loopback, no delay",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![raw, ours, std],
        sweep: None,
    }
    .able(Abilities::STREAM.with_machines())
}

pub(super) fn unread(shape: &Shape) -> Result<(), String> {
    if shape.scenario == Scenario::SingleThread && shape.size > UNREAD_MAX {
        return Err(format!(
            "above {UNREAD_MAX} bytes the send may wait for its own receive"
        ));
    }
    Ok(())
}

pub(super) fn connect_raw(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(raw(side, meet, shape)?))
}

fn raw(side: Side, meet: &Meet, shape: &Shape) -> io::Result<ByteStream<true>> {
    let socket = OwnedFd::from(meet_by_tcp(side, meet)?);
    set_polling(&socket, shape.scenario.polls())?;
    ByteStream::of_socket(socket)
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let stream = ipc_net::Stream::from(OwnedFd::from(meet_by_tcp(side, meet)?));
    Ok(Box::new(Ours::new(stream)))
}

fn connect_std(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let stream = meet_by_tcp(side, meet)?;
    Ok(Box::new(StdStream::new(stream.try_clone()?, stream)))
}

/// Connecting is not measured, so all makers connect alike.
pub(crate) fn meet_by_tcp(side: Side, meet: &Meet) -> io::Result<TcpStream> {
    let stream = match side {
        Side::Server => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            meet.send(&listener.local_addr()?.port().to_le_bytes())?;
            listener.accept()?.0
        }
        Side::Client => {
            let port = <[u8; 2]>::try_from(meet.recv()?)
                .map_err(|_| io::Error::other("a port has two bytes"))?;
            TcpStream::connect((Ipv4Addr::LOCALHOST, u16::from_le_bytes(port)))?
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}
