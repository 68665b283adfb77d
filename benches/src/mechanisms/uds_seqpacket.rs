//! Unix seqpacket sockets.

use std::io;

use crate::{
    abilities::Abilities,
    descriptors::Packets,
    family::{Endpoint, Family, Maker, Role},
    fan_in::{FanIn, Polled},
    limits::socket_buffer,
    meet::{Meet, seqpacket_pair},
    ours::Ours,
    scenario::{Shape, Side},
};

/// Unix seqpacket sockets.
pub fn family() -> Family {
    let raw = Maker {
        fits: socket_buffer,
        fan_in: Some(FanIn {
            receiver: |meets, _| {
                Polled::connect(meets, |meet| raw(Side::Server, meet))
            },
            sender: |meet, shape| connect(Side::Client, meet, shape),
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        ..Maker::raw(connect)
    };
    let ours = Maker {
        fits: socket_buffer,
        fan_in: Some(FanIn {
            receiver: |meets, _| {
                Polled::connect(meets, |meet| ours(Side::Server, meet))
            },
            sender: |meet, shape| connect_ours(Side::Client, meet, shape),
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        ..Maker::ours("ipc-uds", connect_ours)
    };
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![raw, ours];
    #[cfg(feature = "peers")]
    makers.push(peer::maker());
    Family {
        name: "uds-seqpacket",
        about: "Unix seqpacket sockets",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_descriptors())
}

fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(raw(side, meet)?))
}

fn raw(side: Side, meet: &Meet) -> io::Result<Packets> {
    Ok(Packets::new(meet.share(side, seqpacket_pair)?))
}

pub(super) fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(ours(side, meet)?))
}

fn ours(side: Side, meet: &Meet) -> io::Result<Ours<ipc_uds::SeqPacket>> {
    Ok(Ours::new(meet.share(side, || Ok(ipc_uds::pair_seqpacket()?))?))
}

#[cfg(feature = "peers")]
pub(super) mod peer {
    //! `ipc-channel`, which stands on seqpacket sockets.

    use std::io;

    use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender};

    use crate::{
        descriptors::whole,
        family::{Endpoint, Maker},
        meet::Meet,
        scenario::{Shape, Side},
    };

    pub(in crate::mechanisms) fn maker() -> Maker {
        Maker {
            name: "ipc-channel",
            copies: "2 and an allocation (in and out of the kernel)",
            ..Maker::std(connect)
        }
    }

    struct Channel {
        tx: IpcBytesSender,
        rx: IpcBytesReceiver,
    }

    impl Endpoint for Channel {
        fn send(&mut self, message: &[u8]) -> io::Result<()> {
            self.tx
                .send(message)
                .map_err(|error| io::Error::other(error.to_string()))
        }

        fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
            let bytes = self
                .rx
                .recv()
                .map_err(|error| io::Error::other(error.to_string()))?;
            whole(bytes.len(), into.len())?;
            into.copy_from_slice(&bytes);
            Ok(())
        }
    }

    fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let other = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let (to_server, from_client) = ipc_channel::ipc::bytes_channel()?;
        let channel = match side {
            Side::Server => {
                let (server, name) = IpcOneShotServer::<IpcSender<Ends>>::new()?;
                meet.send(name.as_bytes())?;
                let (_, reply) = server.accept().map_err(|error| other(&error))?;
                let (to_client, at_client) = ipc_channel::ipc::bytes_channel()?;
                reply
                    .send((to_server, at_client))
                    .map_err(|error| other(&error))?;
                Channel {
                    tx: to_client,
                    rx: from_client,
                }
            }
            Side::Client => {
                let name = String::from_utf8(meet.recv()?).map_err(|error| other(&error))?;
                let (reply, ends) = ipc_channel::ipc::channel::<Ends>()?;
                let server = IpcSender::connect(name)?;
                server.send(reply).map_err(|error| other(&error))?;
                let (tx, rx) = ends.recv().map_err(|error| other(&error))?;
                Channel { tx, rx }
            }
        };
        Ok(Box::new(channel))
    }

    /// What the server gives to the client: the end to send to and the end to receive from.
    type Ends = (IpcBytesSender, IpcBytesReceiver);
}
