//! What awaiting costs: a mechanism with `.await`, each call its own `block_on`, beside the same
//! mechanism that blocks.

use std::io;

use ipc_async::Async;
use ipc_core::{Flush, Pollable, TryRecv, TrySend};
use tokio::runtime::{Builder, Runtime};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    overhead::BLOCKING,
    scenario::{Shape, Side},
};

/// Makes one side's endpoint.
pub type Connect = fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>;

/// A family of two: `blocking`, and the same awaited.
pub fn family(
    name: &'static str,
    about: &'static str,
    ours: &'static str,
    blocking: Connect,
    awaited: Connect,
) -> Family {
    let blocking = Maker {
        name: BLOCKING,
        references: &[],
        fits,
        ..Maker::raw(blocking)
    };
    let awaited = Maker {
        fits,
        ..Maker::ours(ours, awaited)
    };
    Family {
        name,
        about,
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![blocking, awaited],
        sweep: None,
    }
    .able(Abilities::STREAM)
}

/// The family of a mechanism whose ends `connect` makes, alike for both: given a side and how it
/// meets the other.
macro_rules! alike {
    ($name:literal, $what:literal, $ours:literal, $connect:expr) => {
        $crate::awaited::family(
            $name,
            concat!($what, " with .await on tokio (blocking: the same, without)"),
            $ours,
            |side, meet, _| Ok(Box::new($crate::ours::Ours::new($connect(side, meet)?))),
            |side, meet, _| {
                let end = $connect(side, meet)?;
                Ok(Box::new($crate::awaited::Awaited::new(end)?))
            },
        )
    };
}
pub(crate) use alike;

/// Whether an awaited end takes part.
///
/// # Errors
/// Why not.
pub fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        scenario if scenario.polls() => Err("who awaits does not poll".to_owned()),
        _ => Ok(()),
    }
}

/// The same of something that carries no bytes.
pub fn without_payload(mut family: Family) -> Family {
    family.payload = false;
    for maker in &mut family.makers {
        (maker.copies, maker.verifies) = ("no payload", false);
    }
    family.able(Abilities::NONE)
}

/// A runtime of this thread alone.
///
/// # Errors
/// Where tokio cannot make it.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// `end`, awaited on that runtime.
///
/// # Errors
/// Where tokio cannot watch it.
pub fn watched<T: Pollable + Send + Sync + 'static>(
    runtime: &Runtime,
    end: T,
) -> io::Result<Async<T>> {
    let _inside = runtime.enter();
    Ok(Async::new(end)?)
}

/// An awaited end.
pub struct Awaited<T> {
    end: Async<T>,
    runtime: Runtime,
}

impl<T: TrySend + Flush + TryRecv + Send + Sync + 'static> Awaited<T> {
    /// On a runtime of its own.
    ///
    /// # Errors
    /// Where tokio cannot watch it.
    pub fn new(end: T) -> io::Result<Self> {
        let runtime = runtime()?;
        let end = watched(&runtime, end)?;
        Ok(Self { end, runtime })
    }
}

impl<T: TrySend + Flush + TryRecv + Send + Sync + 'static> Endpoint for Awaited<T> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.runtime.block_on(async {
            self.end.send(message).await?;
            // What blocks is out when it returns.
            Ok(self.end.flush().await?)
        })
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.runtime.block_on(async {
            let mut filled = 0;
            loop {
                filled += self.end.recv(&mut into[filled..]).await?;
                if filled >= into.len() {
                    return Ok(());
                }
            }
        })
    }
}

/// Two awaited ends of messages, one for each direction.
pub struct Apart<S, T> {
    tx: Async<S>,
    rx: Async<T>,
    runtime: Runtime,
}

impl<S, T> Apart<S, T>
where
    S: TrySend + Flush + Send + Sync + 'static,
    T: TryRecv + Send + Sync + 'static,
{
    /// On a runtime of their own.
    ///
    /// # Errors
    /// Where tokio cannot watch them.
    pub fn new(tx: S, rx: T) -> io::Result<Self> {
        let runtime = runtime()?;
        let (tx, rx) = (watched(&runtime, tx)?, watched(&runtime, rx)?);
        Ok(Self { tx, rx, runtime })
    }
}

impl<S, T> Endpoint for Apart<S, T>
where
    S: TrySend + Flush + Send + Sync + 'static,
    T: TryRecv + Send + Sync + 'static,
{
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.runtime.block_on(self.tx.send(message))?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let length = self.runtime.block_on(self.rx.recv(into))?;
        crate::descriptors::whole(length, into.len())
    }
}
