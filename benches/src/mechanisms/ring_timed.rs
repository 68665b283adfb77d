//! Receives from the ring that end when their time is over.

use std::{io, time::Duration};

use super::ring::{channel, raw, whole};
use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    scenario::{Scenario, Shape},
};

/// No message takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Timed waits.
pub fn family() -> Family {
    Family {
        name: "ring-timed",
        about: "the ring with a time limit on each wait (raw: a futex without one)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            Maker { fits, ..raw() },
            Maker {
                copies: "2 (into and out of the ring)",
                fits,
                ..Maker::ours("ipc-ring", |side, meet, shape| {
                    Ok(Box::new(Timed(channel(side, meet, shape)?)))
                })
            },
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        scenario if scenario.polls() => Err("who polls does not wait".to_owned()),
        Scenario::SingleThread => Err("nobody waits".to_owned()),
        _ => Ok(()),
    }
}

struct Timed(ipc_ring::Channel);

impl Endpoint for Timed {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.0.sender().send_timeout(message, PATIENCE)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(self.0.receiver().recv_timeout(into, PATIENCE)?, into)
    }
}
