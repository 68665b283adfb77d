//! Several senders and several receivers of one channel, each a process of its own, that stand
//! behind the two workers of a pair.
//!
//! The server starts them all and keeps the receivers' orders; the client gives the senders theirs.
//! They run wherever the scheduler puts them among the CPUs of the run, and end with the server.

mod member;

pub use member::run;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::{Child, Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{
    calls::{Batch, Calls, Flow},
    family::Endpoint,
    fan_in::Connected,
    meet::{Meet, seqpacket_pair},
    protocol::{self, Usage},
    scenario::{Shape, Side},
};

/// The hidden subcommand of a member.
pub const MEMBER: &str = "member";

/// A number says which sender counted it: the sender's own stands on top.
const SENDER_SHIFT: u32 = 56;
/// What a receiver takes as the end of a slice.
const END: u64 = u64::MAX;

/// What a message takes at least, and the bounds of how many are in a slice, of 64 bytes each.
const LEAST_NS: f64 = 40.0;
const LEAST: (f64, f64) = (25_000.0, 100_000.0);

/// How members of a channel are made.
#[derive(Clone, Copy, Debug)]
pub struct Members {
    /// How many send, and how many receive.
    pub counts: (usize, usize),
    /// What each receiver gets: every message, or those that no other has taken.
    pub each_gets_all: bool,
    /// Makes what they share, which is dropped with the server's end.
    pub share: fn(Counts, &Shape) -> io::Result<Box<dyn Shared>>,
    /// Makes the end of one member from what was given to it.
    pub join: fn(Seat, Vec<OwnedFd>, &Shape) -> Connected,
}

impl Members {
    /// Messages of a slice at least: it takes milliseconds until all members are awake, and until
    /// all have heard of its end.
    pub fn least(&self, slice_ns: f64, size: usize) -> u32 {
        let copies = match self.each_gets_all {
            true => self.counts.1 * self.counts.1,
            false => 1,
        };
        let messages = (slice_ns / LEAST_NS).clamp(LEAST.0, LEAST.1) as usize;
        (messages * 64 / size.max(64) / copies).max(1000) as u32
    }
}

/// How many send, and how many receive.
pub type Counts = (usize, usize);

/// What the members of one channel share.
pub trait Shared: Send {
    /// The descriptors of the next member, the senders first.
    fn give(&mut self, seat: Seat) -> io::Result<Vec<OwnedFd>>;

    /// Lets in the member that has just got them.
    fn admit(&mut self, seat: Seat) -> io::Result<()> {
        let _ = seat;
        Ok(())
    }

    /// All are in: what only they are to hold is dropped.
    fn complete(&mut self) {}
}

/// Which member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seat {
    /// Of the senders.
    Sender(usize),
    /// Of the receivers.
    Receiver(usize),
}

/// First packet to a member, with its descriptors.
#[derive(Debug, Serialize, Deserialize)]
struct Invitation {
    mechanism: String,
    maker: String,
    shape: Shape,
    seat: Seat,
    cpus: Vec<usize>,
}

/// What a member is to do.
#[derive(Debug, Serialize, Deserialize)]
enum Task {
    /// Send this message.
    Pass(Vec<u8>),
    /// Send so many, numbered from 1.
    Send(u32),
    /// Send so many messages that say that the slice is over.
    End(usize),
    /// Receive one message and hand it on.
    TakeOne,
    /// Receive until the end.
    Take,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Done {
    failed: Option<String>,
    messages: u32,
    taken: Vec<u8>,
    usage: Usage,
}

/// This side's end of a channel of members.
pub fn connect(
    side: Side,
    meet: &Meet,
    shape: &Shape,
    (mechanism, maker): (&str, &str),
    members: &Members,
) -> io::Result<Box<dyn Endpoint>> {
    let (senders, receivers) = members.counts;
    if side == Side::Client {
        let controls = (0..senders).map(|_| meet.recv_descriptors::<1>().map(|[control]| control));
        return Ok(Box::new(Senders {
            controls: controls.collect::<io::Result<_>>()?,
            back: meet.share(side, seqpacket_pair)?,
            ends: if members.each_gets_all { 1 } else { receivers },
            usage: Usage::default(),
        }));
    }
    let mut shared = (members.share)(members.counts, shape)?;
    let mut crew = Crew {
        children: Vec::new(),
        controls: Vec::new(),
    };
    let mut controls = Vec::new();
    let seats = (0..senders).map(Seat::Sender);
    for seat in seats.chain((0..receivers).map(Seat::Receiver)) {
        let control = crew.start()?;
        let invitation = Invitation {
            mechanism: mechanism.to_owned(),
            maker: maker.to_owned(),
            shape: *shape,
            seat,
            cpus: meet.cpus().to_vec(),
        };
        let given = shared.give(seat)?;
        let given: Vec<BorrowedFd<'_>> = given.iter().map(AsFd::as_fd).collect();
        protocol::send(&control, &invitation, &given)?;
        shared.admit(seat)?;
        controls.push(control);
    }
    shared.complete();
    // Not before all were asked: some wait for others.
    controls
        .iter()
        .try_for_each(|control| done(control).map(drop))?;
    crew.controls = controls.split_off(senders);
    for control in controls {
        meet.send_descriptors(&[control.as_fd()])?;
    }
    Ok(Box::new(Receivers {
        crew,
        back: meet.share(side, seqpacket_pair)?,
        copies: if members.each_gets_all { receivers } else { 1 },
        usage: Usage::default(),
        _shared: shared,
    }))
}

/// The processes that a server has started, ended with it.
struct Crew {
    children: Vec<Child>,
    controls: Vec<OwnedFd>,
}

impl Crew {
    fn start(&mut self) -> io::Result<OwnedFd> {
        let (control, theirs) = seqpacket_pair()?;
        let child = Command::new(std::env::current_exe()?)
            .args([MEMBER, &std::process::id().to_string()])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        self.children.push(child);
        Ok(control)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for child in &mut self.children {
            // An error means that it has ended already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The client's end: it sends nothing itself.
struct Senders {
    controls: Vec<OwnedFd>,
    back: OwnedFd,
    /// Messages that tell all receivers that a slice is over.
    ends: usize,
    usage: Usage,
}

impl Senders {
    fn done(&mut self, sender: usize) -> io::Result<()> {
        let done = done(&self.controls[sender])?;
        self.usage.add(done.usage);
        Ok(())
    }
}

impl Endpoint for Senders {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        order(&self.controls[0], &Task::Pass(message.to_vec()))?;
        done(&self.controls[0]).map(drop)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let (taken, _) = protocol::receive::<Vec<u8>>(&self.back)?;
        match taken.len() == into.len() {
            true => into.copy_from_slice(&taken),
            false => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }

    fn cost_elsewhere(&mut self) -> Usage {
        std::mem::take(&mut self.usage)
    }
}

impl Calls for Senders {
    fn stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let senders = self.controls.len() as u32;
        let (each, rest) = (batch.messages / senders, batch.messages % senders);
        for (at, control) in (0..).zip(&self.controls) {
            order(control, &Task::Send(each + u32::from(at < rest)))?;
        }
        (0..self.controls.len()).try_for_each(|sender| self.done(sender))?;
        // Every message is in the channel: what comes behind them all is the end.
        order(&self.controls[0], &Task::End(self.ends))?;
        self.done(0)
    }
}

/// The server's end.
struct Receivers {
    crew: Crew,
    back: OwnedFd,
    /// How many receivers get each message.
    copies: usize,
    usage: Usage,
    _shared: Box<dyn Shared>,
}

impl Receivers {
    /// Has one message, or, where each receiver gets all, one of each, handed on to the client.
    fn pass_on(&mut self) -> io::Result<()> {
        let first = &self.crew.controls[..self.copies];
        first
            .iter()
            .try_for_each(|control| order(control, &Task::TakeOne))?;
        let mut taken = Vec::new();
        for control in first {
            taken.push(done(control)?.taken);
        }
        if taken.iter().any(|one| *one != taken[0]) {
            return Err(io::Error::other("two receivers got two messages for one"));
        }
        protocol::send(&self.back, &taken[0], &[])
    }

    fn take_all(&mut self, messages: u32) -> io::Result<()> {
        let controls = &self.crew.controls;
        controls
            .iter()
            .try_for_each(|control| order(control, &Task::Take))?;
        let mut came = 0;
        for control in controls {
            let done = done(control)?;
            self.usage.add(done.usage);
            came += u64::from(done.messages);
        }
        match came == u64::from(messages) * self.copies as u64 {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "{came} messages of {messages} came"
            ))),
        }
    }
}

impl Endpoint for Receivers {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn serve(&mut self, flow: Flow, messages: u32) -> io::Result<bool> {
        match flow {
            Flow::Calls => (0..messages).try_for_each(|_| self.pass_on())?,
            _ => self.take_all(messages)?,
        }
        Ok(true)
    }

    fn cost_elsewhere(&mut self) -> Usage {
        std::mem::take(&mut self.usage)
    }
}

fn order(control: &OwnedFd, task: &Task) -> io::Result<()> {
    protocol::send(control, task, &[])
}

fn done(control: &OwnedFd) -> io::Result<Done> {
    let (done, _) = protocol::receive::<Done>(control)?;
    match done.failed {
        Some(why) => Err(io::Error::other(format!("a member: {why}"))),
        None => Ok(done),
    }
}
