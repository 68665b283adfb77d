//! Our calls within one process, several at once and as streams: both sides are the client's.

use std::{future, io, time::Duration};

use rpc_core::Channel;
use rpc_transport::inproc;

use super::{
    AsyncClient, Flow, Tally,
    echoes::{Stubs, served},
};
use crate::{family::Endpoint, meet::Meet, scenario::Side};

/// The client, and beside it the server under a name; the other process has no part in it.
pub fn by_name(side: Side, meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    match side {
        Side::Server => Ok(Box::new(Idle)),
        Side::Client => {
            let place = format!("bench-calls-{}", meet.tag());
            AsyncClient::within(|| async move {
                let entrance = inproc::bind(&place).map_err(io::Error::other)?;
                let served = served(&Tally::unwatched());
                tokio::spawn(entrance.serve(served, future::pending::<()>(), Duration::ZERO));
                tokio::task::yield_now().await;
                let channel = inproc::connect(&place).map_err(io::Error::other)?;
                let channel: std::sync::Arc<dyn Channel> = std::sync::Arc::new(channel);
                Ok(vec![Stubs::new(channel)])
            })
        }
    }
}

/// What the other process has: nothing, and it waits for nothing.
struct Idle;

impl Endpoint for Idle {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn serve(&mut self, _: Flow, _: u32) -> io::Result<bool> {
        Ok(true)
    }
}
