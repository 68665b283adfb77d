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
}

impl Scenario {
    /// All of them, in reading order.
    pub const ALL: [Scenario; 7] = [
        Scenario::SingleThread,
        Scenario::RoundTrip,
        Scenario::RoundTripAwake,
        Scenario::RoundTripAsleep,
        Scenario::RoundTripSpin,
        Scenario::OneWay,
        Scenario::Wake,
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
            Scenario::RoundTripAwake | Scenario::RoundTripSpin | Scenario::OneWay => {
                Placement::OtherAwake
            }
            Scenario::RoundTripAsleep | Scenario::Wake => Placement::OtherAsleep,
        }
    }

    /// True where both sides poll.
    pub fn polls(self) -> bool {
        self == Scenario::RoundTripSpin
    }

    /// True where a larger ratio is better, because the ratio is one of rates.
    pub fn is_rate(self) -> bool {
        self == Scenario::OneWay
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
