//! What a file under `mechanisms/` exports: a family of makers of one mechanism.

use std::io;

use crate::{
    abilities::Abilities,
    calls::{Calls, Flow},
    fan_in::FanIn,
    meet::Meet,
    members::Members,
    protocol::Usage,
    results::MakerKind,
    scenario::{Shape, Side},
};

/// One mechanism, or one physical floor, and everybody who makes it.
#[derive(Debug)]
pub struct Family {
    /// Its name on the command line and in results.
    pub name: &'static str,
    /// One line for `--list`.
    pub about: &'static str,
    /// A mechanism to choose, or a floor to compare with.
    pub role: Role,
    /// False where a message is an event without bytes: it is measured at size 0 only.
    pub payload: bool,
    /// True where a message of any size is taken without anybody receiving it meanwhile, so that
    /// one thread can send it and then receive it.
    pub takes_whole: bool,
    /// Who makes it, the reference first.
    pub makers: Vec<Maker>,
    /// Removes what the processes with this tag may have left in the kernel when killed.
    pub sweep: Option<fn(u32)>,
}

/// What a family is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A way to talk.
    Mechanism,
    /// A bound that the machine sets.
    Floor,
}

/// One implementation of a mechanism.
#[derive(Clone, Debug)]
pub struct Maker {
    /// `raw`, `std`, the name of a crate.
    pub name: &'static str,
    /// Whose code it is.
    pub kind: MakerKind,
    /// The fellow makers it is compared with; those of our crates face all the others too,
    /// unless they have members.
    pub references: &'static [&'static str],
    /// How often the payload is copied between the two memories.
    pub copies: &'static str,
    /// Why this host lacks it.
    pub probe: fn() -> Result<(), String>,
    /// Why it cannot do a cell, with the limit by name.
    pub fits: fn(&Shape) -> Result<(), String>,
    /// True where what is received is what was sent, to be compared byte by byte.
    pub verifies: bool,
    /// How many messages of a size may be under way before the harness waits for the receiver;
    /// `None` where the mechanism itself holds the sender back.
    pub window: fn(usize) -> Option<u32>,
    /// What the mechanism can do at all; [`Family::able`] sets it.
    pub abilities: Abilities,
    /// How several senders reach one receiver, where they can.
    pub fan_in: Option<FanIn>,
    /// The processes of its own that send and receive, where the two workers do not.
    pub members: Option<Members>,
    /// True where a message is the argument of a call, which its answer ends.
    pub calls: bool,
    /// Whether a default run has time for this cell.
    pub usual: fn(&Shape) -> bool,
    /// Makes this side's end, while the other side does the same in the other process.
    pub connect: fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>,
}

impl Family {
    /// The family whose mechanism is able to do this.
    pub fn able(mut self, abilities: Abilities) -> Family {
        for maker in &mut self.makers {
            maker.abilities = abilities;
        }
        self
    }

    /// True where its messages are the arguments of calls.
    pub fn makes_calls(&self) -> bool {
        self.makers.iter().any(|maker| maker.calls)
    }

    /// How many of its makers are ours.
    pub fn of_ours(&self) -> usize {
        let ours = |maker: &&Maker| maker.kind == MakerKind::Ours;
        self.makers.iter().filter(ours).count()
    }

    /// What the mechanism is able to do, whoever makes it.
    pub fn abilities(&self) -> Abilities {
        let said = self.makers.first().map(|maker| maker.abilities);
        Abilities {
            payload: self.payload,
            ..said.unwrap_or(Abilities::NONE)
        }
    }
}

impl Maker {
    /// A maker by plain system calls with the usual answers: present, unlimited, self-throttling.
    pub fn raw(connect: fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>) -> Maker {
        Maker {
            name: "raw",
            kind: MakerKind::Raw,
            references: &[],
            copies: "2 (in and out of the kernel)",
            probe: || Ok(()),
            fits: |_| Ok(()),
            verifies: true,
            window: |_| None,
            abilities: Abilities::NONE,
            fan_in: None,
            members: None,
            calls: false,
            usual: |_| true,
            connect,
        }
    }

    /// A crate of this workspace. It faces every other maker of its family, and its ratios carry
    /// the family's name alone: `pipe/round-trip/64/vs/raw`.
    pub fn ours(
        name: &'static str,
        connect: fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>,
    ) -> Maker {
        Maker {
            name,
            kind: MakerKind::Ours,
            ..Maker::raw(connect)
        }
    }

    /// The same by the standard library, compared with `raw`.
    pub fn std(connect: fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>) -> Maker {
        Maker {
            name: "std",
            kind: MakerKind::Peer,
            references: &["raw"],
            fits: no_polling,
            ..Maker::raw(connect)
        }
    }
}

/// For makers without try forms.
pub fn no_polling(shape: &Shape) -> Result<(), String> {
    if shape.scenario.polls() {
        Err("it has no try forms".to_owned())
    } else {
        Ok(())
    }
}

/// One end of a two-way connection, used by one thread.
///
/// The harness calls it through this trait for every maker alike, so that its own cost is the same
/// on both sides of a ratio.
pub trait Endpoint: Send {
    /// Sends one message, waiting for room.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Receives one message that fills `into`, waiting for it.
    fn recv(&mut self, into: &mut [u8]) -> io::Result<()>;

    /// Sends (or goes on sending) the message without waiting; true when it is out.
    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        let _ = message;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Receives (or goes on receiving) without waiting; true when `into` is full.
    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let _ = into;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends what a batch has kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Of a server of calls: waits until so many messages have gone that way. False where the end
    /// is none, and the harness receives and answers each message itself.
    fn serve(&mut self, flow: Flow, messages: u32) -> io::Result<bool> {
        let _ = (flow, messages);
        Ok(false)
    }

    /// What other processes have cost this end since it was last asked, waited for by it.
    fn cost_elsewhere(&mut self) -> Usage {
        Usage::default()
    }

    /// Of a client of calls: what it does besides one call after the other.
    fn calls(&mut self) -> Option<&mut dyn Calls> {
        None
    }
}
