//! What stubs call over: a connection to a server elsewhere, or the one of this process.

use crate::blocking_client::BlockingWired;
use crate::client::Wired;
use rpc_core::{Call, CallFuture, Channel, DirectCall, Status};
use rpc_transport::inproc::Inproc;
use rpc_transport::{Connected, Endpoint};
use std::fmt;

/// A connection to a server, as a channel for stubs. Clones share it; it ends with the last, and
/// with the last stream of answers.
///
/// Tasks of the runtime in which it was made read and write for it. One to a server of this
/// process (`inproc:`) needs none: the value itself goes there, and its handler runs in the task
/// that calls.
#[derive(Clone)]
pub struct Connection {
    way: Way,
}

#[derive(Clone)]
enum Way {
    Wired(Wired),
    Inproc(Inproc),
}

impl Connection {
    /// How many calls are under way; none are counted within this process.
    #[must_use]
    pub fn calls_under_way(&self) -> u32 {
        match &self.way {
            Way::Wired(wired) => wired.calls_under_way(),
            Way::Inproc(_) => 0,
        }
    }
}

impl Connection {
    /// Where it leads, if it was connected by a string binding: of `local:` the way that was
    /// taken.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        match &self.way {
            Way::Wired(wired) => wired.endpoint().cloned(),
            Way::Inproc(inproc) => Some(Endpoint::Inproc(inproc.name().to_owned())),
        }
    }
}

impl From<Wired> for Connection {
    fn from(wired: Wired) -> Self {
        Self {
            way: Way::Wired(wired),
        }
    }
}

impl From<Inproc> for Connection {
    fn from(inproc: Inproc) -> Self {
        Self {
            way: Way::Inproc(inproc),
        }
    }
}

impl Channel for Connection {
    fn call(&self, call: Call) -> CallFuture {
        match &self.way {
            Way::Wired(wired) => wired.call(call),
            Way::Inproc(inproc) => inproc.call(call),
        }
    }
}

impl Connected for Connection {
    fn is_usable(&self) -> bool {
        match &self.way {
            Way::Wired(wired) => wired.is_usable(),
            Way::Inproc(inproc) => inproc.is_usable(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Wired(wired) => wired.fmt(f),
            Way::Inproc(inproc) => inproc.fmt(f),
        }
    }
}

/// A connection without a runtime, as a channel for stubs: a call is done when its future is
/// made, so [`block_on`](rpc_core::block_on) gives its answer at once. Threads that share it take
/// turns. Within this process (`inproc:`) the handler runs in the thread that blocks.
///
/// It has no stream in both directions at once over a byte stream, for which somebody must read
/// while another writes.
///
/// ```no_run
/// # fn f<C>(_: C) {}
/// let connection = rpc_native::connect_blocking("unix:/run/shop.sock")?;
/// # f(connection);
/// # Ok::<(), rpc_native::Status>(())
/// ```
#[derive(Clone)]
pub struct BlockingConnection {
    way: BlockingWay,
}

#[derive(Clone)]
enum BlockingWay {
    Wired(BlockingWired),
    Inproc(Inproc),
}

impl BlockingConnection {
    /// Where it leads, as [`Connection::endpoint`].
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        match &self.way {
            BlockingWay::Wired(wired) => wired.endpoint(),
            BlockingWay::Inproc(inproc) => Some(Endpoint::Inproc(inproc.name().to_owned())),
        }
    }
}

impl From<BlockingWired> for BlockingConnection {
    fn from(wired: BlockingWired) -> Self {
        Self {
            way: BlockingWay::Wired(wired),
        }
    }
}

impl From<Inproc> for BlockingConnection {
    fn from(inproc: Inproc) -> Self {
        Self {
            way: BlockingWay::Inproc(inproc),
        }
    }
}

impl Channel for BlockingConnection {
    fn call(&self, call: Call) -> CallFuture {
        match &self.way {
            BlockingWay::Wired(wired) => wired.call(call),
            BlockingWay::Inproc(inproc) => inproc.call(call),
        }
    }

    fn calls_directly(&self) -> bool {
        matches!(self.way, BlockingWay::Wired(_))
    }

    fn call_directly(&self, call: &mut DirectCall<'_>) -> Option<Result<(), Status>> {
        match &self.way {
            BlockingWay::Wired(wired) => wired.call_directly(call),
            BlockingWay::Inproc(_) => None,
        }
    }
}

impl fmt::Debug for BlockingConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingConnection(..)")
    }
}
