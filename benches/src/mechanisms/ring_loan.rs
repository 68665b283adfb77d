//! Messages of the ring that are lent: nobody touches their bytes, which stay where they are.

use std::io;

use ipc_ring::ErrorKind;

use super::ring::{channel, done, pipeline};
use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    scenario::{Scenario, Shape},
};

/// Lent messages.
pub fn family() -> Family {
    Family {
        name: "ring-loan",
        about: "messages of the ring lent and sent where they stand, bytes untouched",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            pipeline::untouched(),
            Maker {
                copies: "none",
                verifies: false,
                fits,
                ..Maker::ours("ipc-ring", |side, meet, shape| {
                    Ok(Box::new(Lending(channel(side, meet, shape)?)))
                })
            },
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

pub(super) fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::FanIn => Err("it takes one sender here".to_owned()),
        _ => Ok(()),
    }
}

struct Lending(ipc_ring::Channel);

impl Endpoint for Lending {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.sender().loan(message.len())?.send();
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let lent = self.0.receiver().recv_loan()?;
        super::ring::whole(lent.len(), into)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        match self.0.sender().try_loan(message.len()) {
            Ok(loan) => {
                loan.send();
                Ok(true)
            }
            Err(error) => done(Err(error)),
        }
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match self.0.receiver().try_recv_loan() {
            Ok(lent) => super::ring::whole(lent.len(), into).map(|()| true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
