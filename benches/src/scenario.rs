//! What is measured: the scenarios, where their pairs run, and how a cell is shaped.

use serde::{Deserialize, Serialize};

use crate::results::Placement;

/// A way to use a mechanism that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Send, then receive, in one thread of one process: for gates finer than 1.10.
    SingleThread,
    /// Blocking round trip, both on one CPU.
    RoundTrip,
    /// Blocking round trip, the other CPU kept awake.
    RoundTripAwake,
    /// Blocking round trip, the other CPU free to sleep.
    RoundTripAsleep,
    /// Round trip by the try forms, two CPUs, nobody sleeps.
    RoundTripSpin,
    /// A stream from client to server, closed by an acknowledgement.
    OneWay,
    /// From just before a send to the return of the receive that was blocked meanwhile.
    Wake,
    /// From when a message was to be sent, at a fixed rate, to the return of its receive.
    OpenLoop,
    /// A stream from several sending processes into one receiver.
    FanIn,
    /// Calls of one client, of which 16 are under way at any time.
    #[serde(rename = "concurrent-16")]
    Concurrent16,
    /// The same with 256.
    #[serde(rename = "concurrent-256")]
    Concurrent256,
    /// A stream of answers from server to client.
    ServerStream,
}

impl Scenario {
    /// All of them, in reading order.
    pub const ALL: [Scenario; 12] = [
        Scenario::SingleThread,
        Scenario::RoundTrip,
        Scenario::RoundTripAwake,
        Scenario::RoundTripAsleep,
        Scenario::RoundTripSpin,
        Scenario::OneWay,
        Scenario::Wake,
        Scenario::OpenLoop,
        Scenario::FanIn,
        Scenario::Concurrent16,
        Scenario::Concurrent256,
        Scenario::ServerStream,
    ];

    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::SingleThread => "single-thread",
            Scenario::RoundTrip => "round-trip",
            Scenario::RoundTripAwake => "round-trip-awake",
            Scenario::RoundTripAsleep => "round-trip-asleep",
            Scenario::RoundTripSpin => "round-trip-spin",
            Scenario::OneWay => "one-way",
            Scenario::Wake => "wake",
            Scenario::OpenLoop => "open-loop",
            Scenario::FanIn => "fan-in",
            Scenario::Concurrent16 => "concurrent-16",
            Scenario::Concurrent256 => "concurrent-256",
            Scenario::ServerStream => "server-stream",
        }
    }

    /// One line for `--list`.
    pub fn about(self) -> &'static str {
        match self {
            Scenario::SingleThread => "send then receive in one thread of one process",
            Scenario::RoundTrip => "blocking round trip, both processes on one CPU",
            Scenario::RoundTripAwake => "blocking round trip, two CPUs that are kept awake",
            Scenario::RoundTripAsleep => "blocking round trip, two CPUs that may sleep",
            Scenario::RoundTripSpin => "round trip by polling, two CPUs",
            Scenario::OneWay => "stream from client to server, closed by an acknowledgement",
            Scenario::Wake => "latency from a send to the return of a blocked receive",
            Scenario::OpenLoop => {
                "one-way latency at a fixed rate, from the intended time of the send"
            }
            Scenario::FanIn => "stream of four senders, on one CPU, to one receiver on another",
            Scenario::Concurrent16 => "calls of one client, 16 of them under way at any time",
            Scenario::Concurrent256 => "calls of one client, 256 of them under way at any time",
            Scenario::ServerStream => "stream of answers to one call, from server to client",
        }
    }

    /// The scenario of that name.
    pub fn named(name: &str) -> Option<Scenario> {
        Scenario::ALL
            .into_iter()
            .find(|scenario| scenario.name() == name)
    }

    /// Where its pair runs.
    pub fn placement(self) -> Placement {
        match self {
            Scenario::SingleThread | Scenario::RoundTrip => Placement::SameCore,
            Scenario::RoundTripAwake
            | Scenario::RoundTripSpin
            | Scenario::OneWay
            | Scenario::FanIn
            | Scenario::Concurrent16
            | Scenario::Concurrent256
            | Scenario::ServerStream => Placement::OtherAwake,
            Scenario::RoundTripAsleep | Scenario::Wake | Scenario::OpenLoop => {
                Placement::OtherAsleep
            }
        }
    }

    /// True where both sides poll.
    pub fn polls(self) -> bool {
        self == Scenario::RoundTripSpin
    }

    /// True where a larger ratio is better, because the ratio is one of rates.
    pub fn is_rate(self) -> bool {
        matches!(
            self,
            Scenario::OneWay
                | Scenario::FanIn
                | Scenario::Concurrent16
                | Scenario::Concurrent256
                | Scenario::ServerStream
        )
    }

    /// True where only calls are measured: what carries messages one way has no such thing.
    pub fn is_of_calls(self) -> bool {
        self == Scenario::ServerStream || self.under_way() > 1
    }

    /// How many calls are under way at any time.
    pub fn under_way(self) -> u32 {
        match self {
            Scenario::Concurrent16 => 16,
            Scenario::Concurrent256 => 256,
            _ => 1,
        }
    }

    /// True where the receiver holds the clock, since it sees when a message has come (but not of
    /// calls, whose answers the client sees).
    pub fn is_timed_by_server(self) -> bool {
        matches!(self, Scenario::Wake | Scenario::OpenLoop)
    }
}

/// What the two ends of a cell must be able to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Bytes a message, 0 for mechanisms that carry none.
    pub size: usize,
    /// How they are used.
    pub scenario: Scenario,
}

/// Which end of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Sends first and holds the clock.
    Client,
    /// Answers.
    Server,
}
