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
    /// The same with 100 on each of 64 connections.
    #[serde(rename = "concurrent-64x100")]
    Concurrent64x100,
    /// A stream of answers from server to client.
    ServerStream,
    /// A stream each way: every item is answered by one.
    BothStreams,
    /// Calls at a tenth of the rate that saturates the maker itself, from their intended time.
    #[serde(rename = "open-loop-10")]
    OpenLoop10,
    /// At half of it.
    #[serde(rename = "open-loop-50")]
    OpenLoop50,
    /// At four fifths of it.
    #[serde(rename = "open-loop-80")]
    OpenLoop80,
    /// At a tenth of the rate that saturates ours, whoever makes the calls.
    #[serde(rename = "open-loop-10-of-ours")]
    OpenLoop10OfOurs,
    /// At half of it.
    #[serde(rename = "open-loop-50-of-ours")]
    OpenLoop50OfOurs,
    /// At four fifths of it.
    #[serde(rename = "open-loop-80-of-ours")]
    OpenLoop80OfOurs,
}

/// A load as a share of the rate at which somebody is saturated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The load over the rate that saturates.
    pub share: f64,
    /// That of ours; else the maker's own.
    pub of_ours: bool,
}

impl Scenario {
    /// All of them, in reading order.
    pub const ALL: [Scenario; 20] = [
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
        Scenario::Concurrent64x100,
        Scenario::ServerStream,
        Scenario::BothStreams,
        Scenario::OpenLoop10,
        Scenario::OpenLoop50,
        Scenario::OpenLoop80,
        Scenario::OpenLoop10OfOurs,
        Scenario::OpenLoop50OfOurs,
        Scenario::OpenLoop80OfOurs,
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
            Scenario::Concurrent64x100 => "concurrent-64x100",
            Scenario::ServerStream => "server-stream",
            Scenario::BothStreams => "both-streams",
            Scenario::OpenLoop10 => "open-loop-10",
            Scenario::OpenLoop50 => "open-loop-50",
            Scenario::OpenLoop80 => "open-loop-80",
            Scenario::OpenLoop10OfOurs => "open-loop-10-of-ours",
            Scenario::OpenLoop50OfOurs => "open-loop-50-of-ours",
            Scenario::OpenLoop80OfOurs => "open-loop-80-of-ours",
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
            Scenario::Concurrent64x100 => "calls over 64 connections, 100 under way on each",
            Scenario::ServerStream => "stream of answers to one call, from server to client",
            Scenario::BothStreams => "one call with a stream each way, an answer to each item",
            Scenario::OpenLoop10 => "calls at 10 % of the rate that saturates the maker itself",
            Scenario::OpenLoop50 => "calls at 50 % of the rate that saturates the maker itself",
            Scenario::OpenLoop80 => "calls at 80 % of the rate that saturates the maker itself",
            Scenario::OpenLoop10OfOurs => "calls at 10 % of the rate that saturates ours",
            Scenario::OpenLoop50OfOurs => "calls at 50 % of the rate that saturates ours",
            Scenario::OpenLoop80OfOurs => "calls at 80 % of the rate that saturates ours",
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
            | Scenario::Concurrent64x100
            | Scenario::ServerStream
            | Scenario::BothStreams => Placement::OtherAwake,
            Scenario::RoundTripAsleep
            | Scenario::Wake
            | Scenario::OpenLoop
            | Scenario::OpenLoop10
            | Scenario::OpenLoop50
            | Scenario::OpenLoop80
            | Scenario::OpenLoop10OfOurs
            | Scenario::OpenLoop50OfOurs
            | Scenario::OpenLoop80OfOurs => Placement::OtherAsleep,
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
                | Scenario::Concurrent64x100
                | Scenario::ServerStream
                | Scenario::BothStreams
        )
    }

    /// True where only calls are measured: what carries messages one way has no such thing.
    pub fn is_of_calls(self) -> bool {
        self.has_answers() || self.under_way() > 1 || self.share().is_some()
    }

    /// True where a stream of answers comes back.
    fn has_answers(self) -> bool {
        matches!(self, Scenario::ServerStream | Scenario::BothStreams)
    }

    /// True where the arguments or the answers of one call are many.
    pub fn is_stream(self) -> bool {
        self == Scenario::OneWay || self.has_answers()
    }

    /// How many calls are under way at any time.
    pub fn under_way(self) -> u32 {
        match self {
            Scenario::Concurrent16 => 16,
            Scenario::Concurrent256 => 256,
            Scenario::Concurrent64x100 => 6400,
            _ => 1,
        }
    }

    /// Over how many connections a client makes them.
    pub fn connections(self) -> usize {
        match self {
            // As the benchmark of gRPC has it: 6,400 outstanding calls over 64 channels.
            Scenario::Concurrent64x100 => 64,
            _ => 1,
        }
    }

    /// Of what rate a load is which share.
    pub fn share(self) -> Option<Share> {
        let (share, of_ours) = match self {
            Scenario::OpenLoop10 => (0.1, false),
            Scenario::OpenLoop50 => (0.5, false),
            Scenario::OpenLoop80 => (0.8, false),
            Scenario::OpenLoop10OfOurs => (0.1, true),
            Scenario::OpenLoop50OfOurs => (0.5, true),
            Scenario::OpenLoop80OfOurs => (0.8, true),
            _ => return None,
        };
        Some(Share { share, of_ours })
    }

    /// True of a load, whatever its rate is.
    pub fn is_load(self) -> bool {
        self == Scenario::OpenLoop || self.share().is_some()
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
