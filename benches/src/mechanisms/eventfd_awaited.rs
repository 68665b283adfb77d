//! Event counters awaited, beside the same blocking.

use std::io;

use ipc_async::Async;
use ipc_event::Event;
use tokio::runtime::Runtime;

use super::eventfd::{blocking, events};
use crate::{
    awaited,
    family::{Endpoint, Family},
};

/// Event counters awaited.
pub fn family() -> Family {
    let family = awaited::family(
        "eventfd-awaited",
        "event counters with .await on tokio (blocking: the same, without)",
        "ipc-event",
        blocking,
        |side, meet, _| {
            let (tx, rx) = events(side, meet)?;
            let runtime = awaited::runtime()?;
            let rx = awaited::watched(&runtime, rx)?;
            Ok(Box::new(Events { tx, rx, runtime }))
        },
    );
    awaited::without_payload(family)
}

/// To notify waits for nothing.
struct Events {
    tx: Event,
    rx: Async<Event>,
    runtime: Runtime,
}

impl Endpoint for Events {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(self.tx.notify()?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(self.runtime.block_on(self.rx.wait()).map(drop)?)
    }
}
