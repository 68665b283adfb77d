//! One writer and several readers, each of which receives every message.

use std::io;

use ipc_ring::{Broadcaster, Received, Subscriber};

use super::ring::{channel, indices, whole};
use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// Bytes of messages under way at most, as long as two fit.
const BYTES: usize = 4 << 20;

/// Broadcasts; the readers are one process, which takes each message from each of them.
pub fn family() -> Family {
    let to = |name, connect| Maker {
        copies: "1 into the memory, 1 out of it by each reader",
        fits,
        ..Maker::ours(name, connect)
    };
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        Maker { fits, ..indices::index_ring() },
        to("to-1", |side, meet, shape| connect(side, meet, shape, 1)),
        to("to-4", |side, meet, shape| connect(side, meet, shape, 4)),
        to("to-16", |side, meet, shape| connect(side, meet, shape, 16)),
    ];
    #[cfg(feature = "peers")]
    makers.extend(peer::makers());
    Family {
        name: "ring-broadcast",
        about: "one writer, 1, 4 and 16 readers in one thread (index-ring: to one, bare)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        #[cfg(feature = "peers")]
        sweep: Some(crate::sys::iceoryx::sweep),
        #[cfg(not(feature = "peers"))]
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::OneWay if shape.size <= 4 << 10 => Ok(()),
        Scenario::OneWay => Err("larger messages are a matter of copying".to_owned()),
        _ => Err("it is one way".to_owned()),
    }
}

fn connect(
    side: Side,
    meet: &Meet,
    shape: &Shape,
    readers: usize,
) -> io::Result<Box<dyn Endpoint>> {
    let mut options = ipc_ring::Options::new();
    let bytes = (64 * shape.size).min(BYTES).max(2 * shape.size);
    options.capacity_messages(64).capacity_bytes(bytes);
    let (mut writer, mut subscribers) = (None, Vec::new());
    if side == Side::Client {
        writer = Some(options.broadcast()?);
    }
    for _ in 0..readers {
        let socket = meet.share(side, || Ok(ipc_uds::pair_seqpacket()?))?;
        match &writer {
            Some(writer) => writer.add(socket)?,
            None => subscribers.push(options.subscribe_over(socket)?),
        }
    }
    Ok(Box::new(Cast {
        writer,
        subscribers,
        // By which the first messages are answered.
        back: channel(side, meet, shape)?,
    }))
}

struct Cast {
    writer: Option<Broadcaster>,
    subscribers: Vec<Subscriber>,
    back: ipc_ring::Channel,
}

impl Endpoint for Cast {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match &self.writer {
            Some(writer) => Ok(writer.send(message)?),
            None => Ok(self.back.sender().send(message)?),
        }
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        if self.subscribers.is_empty() {
            return whole(self.back.receiver().recv(into)?, into);
        }
        for reader in &self.subscribers {
            match reader.recv(into)? {
                Received::Message(len) => whole(len, into)?,
                missed => return Err(io::Error::other(format!("{missed:?} messages"))),
            }
        }
        Ok(())
    }
}

#[cfg(feature = "peers")]
mod peer {
    //! The same by `iceoryx2`, polled.

    use std::io;

    use super::fits;
    use crate::{
        family::{Endpoint, Maker},
        mechanisms::ring::peers::both_are_there,
        meet::Meet,
        results::MakerKind,
        scenario::{Shape, Side},
        sys::iceoryx::Published,
    };

    pub(super) fn makers() -> Vec<Maker> {
        let to = |name, connect| Maker {
            name,
            kind: MakerKind::Peer,
            fits,
            ..Maker::raw(connect)
        };
        vec![
            to("iceoryx2-to-1", |side, meet, shape| connect(side, meet, shape, 1)),
            to("iceoryx2-to-4", |side, meet, shape| connect(side, meet, shape, 4)),
            to("iceoryx2-to-16", |side, meet, shape| connect(side, meet, shape, 16)),
        ]
    }

    fn connect(
        side: Side,
        meet: &Meet,
        shape: &Shape,
        readers: usize,
    ) -> io::Result<Box<dyn Endpoint>> {
        let (tx, here) = match side {
            Side::Client => (0, 1),
            Side::Server => (1, readers),
        };
        let (directory, size) = (meet.directory(), shape.size);
        let end = Published::connect(directory, meet.tag(), tx, (here, readers), size, false)?;
        both_are_there(meet)?;
        Ok(Box::new(Cast { end, readers: here }))
    }

    struct Cast {
        end: Published,
        readers: usize,
    }

    impl Endpoint for Cast {
        fn send(&mut self, message: &[u8]) -> io::Result<()> {
            self.end.send(message)
        }

        fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
            (0..self.readers).try_for_each(|reader| self.end.recv(reader, into))
        }
    }
}
