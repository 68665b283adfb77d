//! Calls over datagrams on the loopback interface, against the round trip of the same bytes.

use super::udp;
use crate::{
    abilities::Abilities,
    calls::{self, calls_only},
    family::{Family, Maker, Role},
    limits::loopback,
    scenario::{Scenario, Shape},
};

/// Calls over datagrams.
pub fn family() -> Family {
    let raw = Maker {
        probe: loopback,
        fits: ping_pong,
        ..Maker::raw(udp::connect_raw)
    };
    Family {
        name: "rpc-udp",
        about: "calls over datagrams on loopback (raw: the bytes there and back by UDP)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![raw, calls::datagrams()],
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}

/// One datagram there and one back: more at once may be lost, and nobody would send them again.
fn ping_pong(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::RoundTrip => udp::datagram(shape),
        _ => calls_only(shape).and(Err("it has no calls: a lost datagram is lost".to_owned())),
    }
}
