//! Messages of the ring that are lent, written where they stand, and read there.

use std::io;

use ipc_ring::ErrorKind;

use super::{
    ring::{channel, done, pipeline, whole},
    ring_loan::fits,
};
use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
};

/// Lent messages with their payload.
pub fn family() -> Family {
    Family {
        name: "ring-loan-touched",
        about: "messages of the ring lent, their bytes written and read in the memory",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            pipeline::touched(),
            Maker {
                copies: "1 into the memory, 1 out of it",
                fits,
                ..Maker::ours("ipc-ring", |side, meet, shape| {
                    Ok(Box::new(Touching(channel(side, meet, shape)?)))
                })
            },
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

struct Touching(ipc_ring::Channel);

impl Endpoint for Touching {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut loan = self.0.sender().loan(message.len())?;
        loan.write(message)?;
        loan.send();
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let lent = self.0.receiver().recv_loan()?;
        whole(lent.len(), into)?;
        Ok(lent.read_at(0, into)?)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        match self.0.sender().try_loan(message.len()) {
            Ok(mut loan) => {
                loan.write(message)?;
                loan.send();
                Ok(true)
            }
            Err(error) => done(Err(error)),
        }
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match self.0.receiver().try_recv_loan() {
            Ok(lent) => {
                whole(lent.len(), into)?;
                lent.read_at(0, into)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
