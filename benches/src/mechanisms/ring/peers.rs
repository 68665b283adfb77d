//! The rings of others: `iceoryx2` in three ways, and `ipc-channel`.

use std::io;

use crate::{
    family::{Endpoint, Maker},
    meet::Meet,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
    sys::iceoryx::{Asking, Published},
};

/// All of them.
pub(super) fn makers() -> Vec<Maker> {
    let peer = |name, connect| Maker {
        name,
        kind: MakerKind::Peer,
        references: &["two-flags", "raw"],
        copies: "2 (into and out of its memory)",
        ..Maker::raw(connect)
    };
    vec![
        Maker {
            fits: |shape| match shape.scenario {
                Scenario::RoundTripSpin | Scenario::OneWay => Ok(()),
                _ => Err("its subscribers never sleep without an event".to_owned()),
            },
            ..peer("iceoryx2", |side, meet, shape| publish(side, meet, shape, false))
        },
        Maker {
            fits: |shape| match shape.scenario {
                Scenario::SingleThread => Err("it takes two processes here".to_owned()),
                scenario if scenario.polls() => Err("it waits for events".to_owned()),
                // A listener that drains takes away the datagram of a notifier which has not yet
                // marked itself as notified. If it then sleeps before the mark, every later
                // notifier sees the mark and sends nothing (`drain_events` and `notify` in
                // event/common.rs of iceoryx2-cal 0.10).
                scenario if scenario.is_rate() || scenario.is_load() => Err(
                    "a listener of version 0.10 can miss a wake-up while events come one after \
                     the other, and then both sides wait for ever"
                        .to_owned(),
                ),
                _ => Ok(()),
            },
            ..peer("iceoryx2-events", |side, meet, shape| {
                publish(side, meet, shape, true)
            })
        },
        Maker {
            fits: |shape| match shape.scenario {
                Scenario::RoundTripSpin => Ok(()),
                _ => Err("requests are polled for".to_owned()),
            },
            ..peer("iceoryx2-asked", ask)
        },
        crate::mechanisms::uds_seqpacket::peer::maker(),
        Maker {
            // Its constructor allocates, and its slots stand at an address of one process.
            probe: || Err("its ring stands on the heap of one process".to_owned()),
            ..peer("rtrb", |_, _, _| Err(io::ErrorKind::Unsupported.into()))
        },
    ]
}

fn publish(side: Side, meet: &Meet, shape: &Shape, events: bool) -> io::Result<Box<dyn Endpoint>> {
    let way = way(side);
    let (directory, size) = (meet.directory(), shape.size);
    let end = Published::connect(directory, meet.tag(), way, (1, 1), size, events)?;
    both_are_there(meet)?;
    Ok(Box::new(Publishing(end)))
}

fn ask(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let end = Asking::connect(meet.directory(), meet.tag(), way(side) == 0, shape.size)?;
    both_are_there(meet)?;
    Ok(Box::new(Asked(end)))
}

fn way(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

/// What is sent before the other side's port is there, nobody receives.
pub(in crate::mechanisms) fn both_are_there(meet: &Meet) -> io::Result<()> {
    meet.send(b"there")?;
    meet.recv().map(drop)
}

struct Publishing(Published);

impl Endpoint for Publishing {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.send(message)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.0.recv(0, into)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        self.0.send(message).map(|()| true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        self.0.try_recv(0, into)
    }
}

struct Asked(Asking);

impl Endpoint for Asked {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.send(message)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        while !self.0.try_recv(into)? {
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        self.0.send(message).map(|()| true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        self.0.try_recv(into)
    }
}
