//! Unix stream sockets.

use std::{io, os::unix::net::UnixStream};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::{
    abilities::Abilities,
    descriptors::{ByteStream, StdStream, set_polling},
    family::{Endpoint, Family, Maker, Role},
    fan_in::{FanIn, Polled},
    meet::Meet,
    ours::Ours,
    scenario::{Shape, Side},
};

/// Unix stream sockets.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        Maker {
            fan_in: Some(FanIn {
                receiver: |meets, shape| {
                    Polled::connect(meets, |meet| raw(Side::Server, meet, shape))
                },
                sender: |meet, shape| connect_raw(Side::Client, meet, shape),
                whole_up_to: usize::MAX,
                stamped: true,
            }),
            ..Maker::raw(connect_raw)
        },
        Maker {
            fan_in: Some(FanIn {
                receiver: |meets, _| {
                    Polled::connect(meets, |meet| ours(Side::Server, meet))
                },
                sender: |meet, shape| connect_ours(Side::Client, meet, shape),
                whole_up_to: usize::MAX,
                stamped: true,
            }),
            ..Maker::ours("ipc-uds", connect_ours)
        },
        Maker::std(connect_std),
    ];
    #[cfg(feature = "peers")]
    makers.push(peer::maker());
    Family {
        name: "uds-stream",
        about: "Unix stream sockets",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::STREAM.with_descriptors())
}

/// The reference, which framed messages have too.
pub(super) fn connect_raw(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(raw(side, meet, shape)?))
}

fn raw(side: Side, meet: &Meet, shape: &Shape) -> io::Result<ByteStream<true>> {
    let socket = meet.share(side, || {
        let flags = SocketFlags::CLOEXEC;
        Ok(socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            flags,
            None,
        )?)
    })?;
    set_polling(&socket, shape.scenario.polls())?;
    ByteStream::of_socket(socket)
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(ours(side, meet)?))
}

fn ours(side: Side, meet: &Meet) -> io::Result<Ours<ipc_uds::Stream>> {
    Ok(Ours::new(meet.share(side, || Ok(ipc_uds::pair()?))?))
}

fn connect_std(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = meet.share(side, UnixStream::pair)?;
    Ok(Box::new(StdStream::new(socket.try_clone()?, socket)))
}

#[cfg(feature = "peers")]
mod peer {
    //! The local sockets of `interprocess`.

    use std::io::{self, Read, Write};

    use interprocess::local_socket::{
        GenericFilePath, ListenerOptions, Stream, ToFsName, prelude::*,
    };

    use crate::{
        family::{Endpoint, Maker},
        meet::Meet,
        scenario::{Shape, Side},
    };

    pub(super) fn maker() -> Maker {
        Maker {
            name: "interprocess",
            ..Maker::std(connect)
        }
    }

    fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let path = meet
            .directory()
            .join(format!("interprocess-{}", meet.tag()));
        let name = path.as_path().to_fs_name::<GenericFilePath>()?;
        let stream = match side {
            Side::Server => {
                let listener = ListenerOptions::new().name(name).create_sync()?;
                meet.send(b"bound")?;
                listener.accept()?
            }
            Side::Client => {
                meet.recv()?;
                Stream::connect(name)?
            }
        };
        Ok(Box::new(LocalSocket(stream)))
    }

    struct LocalSocket(Stream);

    impl Endpoint for LocalSocket {
        fn send(&mut self, message: &[u8]) -> io::Result<()> {
            self.0.write_all(message)
        }

        fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
            self.0.read_exact(into)
        }
    }
}
