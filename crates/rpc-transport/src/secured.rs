//! TLS over a stream of any transport: who the peer is shows after its handshake.

use crate::wire::Wire;
use ipc_core::{Duplex, Interest, Pollable, Result, Until};
use ipc_net::tls::{Identity, Stream};

/// TLS over any stream.
pub(crate) trait Secured: Duplex + Send + Sync {
    /// Makes the handshake, waiting until `until`.
    fn shake_hands(&self, until: Until) -> Result<()>;
    /// Who the peer has proven to be.
    fn identity(&self) -> Option<Identity>;
    /// What both sides have agreed to speak.
    fn protocol(&self) -> Option<Vec<u8>>;
    /// Ends both directions of what is below.
    fn shut_down(&self);
}

impl<T: Below + Duplex + Send + Sync> Secured for Stream<T> {
    fn shake_hands(&self, until: Until) -> Result<()> {
        match until {
            Until::Now => self.try_handshake(),
            Until::Forever => self.handshake(),
            Until::At(deadline) => self.handshake_deadline(deadline),
        }
    }

    fn identity(&self) -> Option<Identity> {
        self.identity()
    }

    fn protocol(&self) -> Option<Vec<u8>> {
        self.protocol()
    }

    fn shut_down(&self) {
        self.inner().shut_down();
    }
}

/// What TLS goes over.
pub(crate) trait Below {
    fn shut_down(&self);
}

impl Below for ipc_net::Stream {
    fn shut_down(&self) {
        let socket = self.descriptor(Interest::Write);
        // One that has ended says so, which is no news.
        let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
    }
}

impl Below for Wire {
    fn shut_down(&self) {
        Self::shut_down(self);
    }
}
