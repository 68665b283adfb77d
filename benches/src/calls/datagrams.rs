//! Our calls over datagrams: the same service, its client and server on tokio.

use std::{io, os::fd::OwnedFd};

use rpc_core::Binding;
use rpc_transport::Stopper;
use rpc_udp::{Limits, Options};

use super::{
    AsyncClient, Contract, Echoes, Flow, Serving, calls_without_streams, one_connection,
    ours::{MAX_CALLS, failed},
};
use crate::{
    family::{Endpoint, Maker},
    limits::loopback,
    mechanisms::udp::meet_by_udp,
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// The largest message, which leaves room for what a call adds.
const MAX_BYTES: usize = 65_000;

/// The crate `rpc-udp`.
pub fn maker() -> Maker {
    Maker {
        probe: loopback,
        copies: "2 (in and out of the kernel), and by the codec",
        fits,
        calls: true,
        usual: |shape| shape.scenario == Scenario::RoundTrip && shape.size <= 64,
        ..Maker::ours("rpc-udp", connect)
    }
}

fn fits(shape: &Shape) -> Result<(), String> {
    if shape.size > MAX_BYTES {
        return Err(format!(
            "a datagram holds {} bytes with what a call adds",
            Limits::MAX_DATAGRAM_BYTES
        ));
    }
    calls_without_streams(shape).and_then(|()| one_connection(shape))
}

fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let datagram = ipc_net::Datagram::from(OwnedFd::from(meet_by_udp(side, meet)?));
    let mut limits = Limits::new();
    limits
        .max_calls(MAX_CALLS)
        .max_datagram_bytes(Limits::MAX_DATAGRAM_BYTES);
    let mut options = Options::new();
    options
        .limits(limits)
        .partial_contracts(true)
        .insecure_plain_text(true);
    match side {
        Side::Client => AsyncClient::within(|| async {
            let connection = options.over(datagram).await.map_err(failed)?;
            Ok(vec![Echoes::stubs(connection)])
        }),
        Side::Server => {
            let serving = options.listen(datagram);
            let stopper = serving.stopper();
            let end = Serving::run(move |tally| async move {
                let served = Echoes::served(&tally);
                Box::new(serving).serve(served).await.map_err(failed)
            })?;
            Ok(Box::new(Stopping { end, stopper }))
        }
    }
}

/// A server whose socket does not tell that its client has gone.
struct Stopping {
    end: Box<dyn Endpoint>,
    stopper: Stopper,
}

impl Endpoint for Stopping {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.end.send(message)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.end.recv(into)
    }

    fn serve(&mut self, flow: Flow, messages: u32) -> io::Result<bool> {
        self.end.serve(flow, messages)
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}
