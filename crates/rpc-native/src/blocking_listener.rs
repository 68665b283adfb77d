//! Where connections come in that threads of the caller serve, as many as there is room for.

use crate::blocking_server::BlockingSession;
use crate::options::Options;
use ipc_core::{ErrorKind, Until};
use rpc_core::{Code, Served, Status};
use rpc_transport::{Endpoint, Listener, Seats};
use std::time::Duration;

/// How long it rests when the host has no descriptor or memory left for a connection.
const REST: Duration = Duration::from_millis(50);

/// Where connections come in that threads of the caller serve.
///
/// ```no_run
/// # let served = rpc_core::Server::new(rpc_core::Router::new()).served();
/// let listener = rpc_native::Options::new().bind_blocking("unix:/run/shop.sock", served)?;
/// loop {
///     let session = listener.accept()?;
///     std::thread::spawn(move || session.run());
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), rpc_native::Status>(())
/// ```
#[derive(Debug)]
pub struct BlockingListener {
    listener: Listener,
    seats: Seats,
    served: Served,
    options: Options,
}

impl BlockingListener {
    pub(crate) fn new(
        listener: Listener,
        served: Served,
        options: Options,
    ) -> Result<Self, Status> {
        if let Some(method) = served.methods().find(|method| method.kind.client_streams()) {
            let text = format!(
                "{}/{}: a blocking server cannot take a stream of arguments",
                method.service, method.name
            );
            return Err(Status::new(Code::Unimplemented, text));
        }
        let seats = Seats::new(options.max_connections, options.max_connections_per_user);
        Ok(Self {
            listener,
            seats,
            served,
            options,
        })
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// As [`Listener::endpoint`].
    pub fn endpoint(&self) -> Result<Endpoint, Status> {
        self.listener.endpoint().map_err(Status::from)
    }

    /// Waits for a client for whom there is room: those beyond
    /// [`Options::max_connections`] are left, and counted again when their session is dropped.
    ///
    /// Where the host has no descriptor left it rests and tries again: what it lacks may come
    /// back, and no client is to end a server.
    ///
    /// # Errors
    /// As the transport says; the listener stays usable.
    pub fn accept(&self) -> Result<BlockingSession, Status> {
        loop {
            let wire = match self.listener.accept(Until::Forever) {
                Ok(wire) => wire,
                Err(error) if error.kind() == ErrorKind::LimitReached => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    std::thread::sleep(REST);
                    continue;
                }
                Err(error) => return Err(Status::from(error)),
            };
            let Some(seat) = self.seats.take(wire.peer()) else {
                tracing::warn!(peer = ?wire.peer(), "refused: too many connections");
                continue;
            };
            let mut session = BlockingSession::new(wire, self.served.clone(), &self.options);
            session.seat = Some(seat);
            return Ok(session);
        }
    }
}
