//! What orchestrator and workers say to each other: one JSON value a packet.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    meet,
    scenario::{Shape, Side},
};

/// Orchestrator and worker must agree on this number.
pub const VERSION: u32 = 1;

/// A packet never exceeds this; it fits into the default buffer of a Unix socket.
const MAX_PACKET: usize = 160 << 10;

/// First packet to a worker; it carries the meeting socket and the stage as descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The orchestrator's [`VERSION`].
    pub version: u32,
    /// Which end the worker plays.
    pub side: Side,
    /// The CPU to run on, if pinned.
    pub cpu: Option<usize>,
    /// True where the two workers have a CPU each, so that a cache line can be bounced.
    pub two_cpus: bool,
    /// Where the pair may place names.
    pub directory: PathBuf,
    /// A number for names outside that directory.
    pub tag: u32,
    /// Which sender of a fan-in the worker is; 0 for the client and the server. Only a pair with
    /// more senders says it, so that workers of an older build understand all others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sender: usize,
    /// The CPUs of the run, for processes that are not bound to one.
    #[serde(default)]
    pub cpus: Vec<usize>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn is_none(nanoseconds: &u64) -> bool {
    *nanoseconds == 0
}

/// First answer of a worker.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The worker's [`VERSION`].
    pub version: u32,
    /// Why the worker cannot go on (a version it does not know, a CPU it may not use).
    pub failed: Option<String>,
}

/// An order to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Make this side's end of one maker's connection; ends are numbered from 0 in this order.
    Connect {
        /// Name of the family.
        mechanism: String,
        /// Name of the maker.
        maker: String,
        /// What the ends must carry.
        shape: Shape,
    },
    /// Measure.
    Slice(SliceOrder),
}

/// One slice to measure on one connection.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SliceOrder {
    /// Which connection.
    pub end: usize,
    /// Messages (or round trips).
    pub messages: u32,
    /// Operations timed together.
    pub group: u32,
    /// Nanoseconds of busy work added to each operation: a planted slowdown.
    pub planted_ns: f64,
    /// Of a load that is a share of what saturates: nanoseconds from one call to the next, 0 to
    /// make them as fast as they are answered. Only such a load says it, so that workers of an
    /// older build understand all others.
    #[serde(default, skip_serializing_if = "is_none")]
    pub every_ns: u64,
    /// True in the pass that counts system calls, where time means nothing.
    pub counted: bool,
}

/// An answer to an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The connection stands.
    Connected,
    /// The slice is done.
    Slice(SliceReport),
    /// It went wrong; the worker is of no more use.
    Failed {
        /// One clause.
        why: String,
    },
}

/// What one side saw of a slice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SliceReport {
    /// Floor probe before and after, in nanoseconds.
    pub probes: (f64, f64),
    /// Elapsed time of all operations; only the client has a clock on them.
    pub elapsed_ns: u64,
    /// Median time per operation.
    pub typical_ns: f64,
    /// Time per operation in tenths of a nanosecond, to three digits, with how often it occurred.
    pub times: Vec<(u64, u32)>,
    /// What the slice cost this process.
    pub usage: Usage,
    /// True where payload was compared byte by byte.
    pub verified: bool,
}

/// What a stretch of a process cost, by getrusage(2).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Nanoseconds on a CPU, in user and kernel mode.
    pub cpu_ns: u64,
    /// Voluntary context switches.
    pub voluntary: u64,
    /// Involuntary context switches.
    pub involuntary: u64,
}

impl Usage {
    /// Adds what another process cost meanwhile.
    pub fn add(&mut self, other: Usage) {
        self.cpu_ns += other.cpu_ns;
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }
}

/// Sends one value, with descriptors.
pub fn send<T: Serialize>(
    socket: impl AsFd,
    value: &T,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    meet::send_with(socket, &serde_json::to_vec(value)?, descriptors)
}

/// Receives one value and its descriptors.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<(T, Vec<OwnedFd>)> {
    let (bytes, descriptors) = meet::receive_with(socket, MAX_PACKET)?;
    Ok((serde_json::from_slice(&bytes)?, descriptors))
}
