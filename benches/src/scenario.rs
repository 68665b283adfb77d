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
}

impl Scenario {
    /// All of them, in reading order.
    pub const ALL: [Scenario; 9] = [
        Scenario::SingleThread,
        Scenario::RoundTrip,
        Scenario::RoundTripAwake,
        Scenario::RoundTripAsleep,
        Scenario::RoundTripSpin,
        Scenario::OneWay,
        Scenario::Wake,
        Scenario::OpenLoop,
        Scenario::FanIn,
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
            | Scenario::FanIn => Placement::OtherAwake,
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
        matches!(self, Scenario::OneWay | Scenario::FanIn)
    }

    /// True where the receiver holds the clock, since it sees when a message has come.
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
