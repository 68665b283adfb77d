//! Queued signals awaited, beside the same blocking.

use std::io;

use ipc_async::Async;
use ipc_signal::{Receiver, Signal, Target};
use tokio::runtime::Runtime;

use super::signal::{connect_ours, ends};
use crate::{
    awaited,
    family::{Endpoint, Family},
    scenario::{Scenario, Shape},
};

/// Queued signals awaited.
pub fn family() -> Family {
    let family = awaited::family(
        "signal-awaited",
        "real-time signals with .await on tokio (blocking: the same, without)",
        "ipc-signal",
        connect_ours,
        |side, meet, _| {
            let signal = Signal::real_time(3)?;
            let (tx, rx) = ends(side, meet, signal)?;
            let runtime = awaited::runtime()?;
            let rx = awaited::watched(&runtime, rx)?;
            let value = 0;
            Ok(Box::new(Signals {
                tx,
                rx,
                runtime,
                signal,
                value,
            }))
        },
    );
    let mut family = awaited::without_payload(family);
    for maker in &mut family.makers {
        maker.fits = fits;
    }
    family
}

/// Its queue has a bound for the whole user, at which a sender fails: round trips alone.
fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::OneWay => Err("who sends does not wait for room".to_owned()),
        _ => awaited::fits(shape),
    }
}

/// To notify waits for nothing.
struct Signals {
    tx: Target<'static>,
    rx: Async<Receiver>,
    runtime: Runtime,
    signal: Signal,
    value: i32,
}

impl Endpoint for Signals {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.value = self.value.wrapping_add(1);
        Ok(self.tx.notify_with(self.signal, self.value)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(self.runtime.block_on(self.rx.wait()).map(drop)?)
    }
}
