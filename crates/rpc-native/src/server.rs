//! The awaited server: connections come in, calls go to the handlers.

use crate::connection::Served;
use crate::handshake::proven;
use crate::options::Options;
use ipc_async::Async;
use rpc_core::{Binding, MethodDescriptor, Peer, Status};
use rpc_transport::inproc::Entrance;
use rpc_transport::{Endpoint, Listener, Wire};
use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a listener rests after a failure that does not pass by itself, such as having no
/// descriptor left.
const REST: Duration = Duration::from_millis(50);

/// A way into a server, for [`Server::with`](rpc_core::Server::with).
#[derive(Debug)]
pub struct Serving {
    way: Way,
    options: Options,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
enum Way {
    Listener(Listener),
    /// Callers of this process.
    Inproc(Entrance),
}

/// Ends a way into a server in order: no new connections and calls, what runs is finished.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: watch::Sender<bool>,
}

impl Stopper {
    /// Ends it. Calls that run have the drain timeout of the limits to finish.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Serving {
    pub(crate) fn new(listener: Listener, options: Options) -> Self {
        Self::by(Way::Listener(listener), options)
    }

    pub(crate) fn inproc(entrance: Entrance, options: Options) -> Self {
        Self::by(Way::Inproc(entrance), options)
    }

    fn by(way: Way, options: Options) -> Self {
        Self {
            way,
            options,
            stop: watch::Sender::new(false),
        }
    }

    /// What ends it in order.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper {
            stop: self.stop.clone(),
        }
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// As [`Listener::endpoint`].
    pub fn endpoint(&self) -> Result<Endpoint, Status> {
        match &self.way {
            Way::Listener(listener) => listener.endpoint().map_err(Status::from),
            Way::Inproc(entrance) => Ok(Endpoint::Inproc(entrance.name().to_owned())),
        }
    }

    async fn run(self, served: rpc_core::Served) -> Result<(), Status> {
        let listener = match self.way {
            Way::Listener(listener) => Async::new(listener).map_err(Status::from)?,
            Way::Inproc(entrance) => {
                let mut stopped = self.stop.subscribe();
                let stopped = async {
                    let _ = stopped.wait_for(|stop| *stop).await;
                };
                entrance
                    .serve(served, stopped, self.options.limits.drain)
                    .await;
                return Ok(());
            }
        };
        let seats = Arc::new(Seats {
            options: self.options.clone(),
            taken: Mutex::default(),
        });
        let mut stopped = self.stop.subscribe();
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                _ = stopped.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok(wire) => {
                    let Some(seat) = Seat::take(&seats, wire.peer()) else {
                        tracing::warn!(peer = ?wire.peer(), "refused: too many connections");
                        continue;
                    };
                    let (served, limits) = (served.clone(), self.options.limits.clone());
                    let stopped = self.stop.subscribe();
                    connections.spawn(async move {
                        let _seat = seat;
                        serve(wire, served, limits, stopped).await;
                    });
                }
                Err(error) => {
                    // A listener outlives every failure: what it lacks may come back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

async fn serve(
    wire: Wire,
    served: rpc_core::Served,
    limits: crate::Limits,
    stopped: watch::Receiver<bool>,
) {
    let mut ending = stopped.clone();
    let wire = tokio::select! {
        proven = proven(wire, limits.handshake) => proven,
        _ = ending.wait_for(|stop| *stop) => return,
    };
    match wire.and_then(|wire| Served::new(wire, served, limits)) {
        Ok(connection) => connection.run(stopped).await,
        Err(error) => tracing::debug!(%error, "a connection could not be served"),
    }
}

impl Binding for Serving {
    fn serve(
        self: Box<Self>,
        served: rpc_core::Served,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>> {
        Box::pin(self.run(served))
    }

    fn carries(&self, _method: &MethodDescriptor) -> Result<(), Status> {
        // All five kinds.
        Ok(())
    }
}

/// Whose connections are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    User(u32),
    Address(IpAddr),
    Other,
}

#[derive(Debug)]
struct Seats {
    options: Options,
    taken: Mutex<HashMap<Owner, usize>>,
}

impl Seats {
    fn taken(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right of one connection to be there.
#[derive(Debug)]
struct Seat {
    seats: Arc<Seats>,
    owner: Owner,
}

impl Seat {
    fn take(seats: &Arc<Seats>, peer: &Peer) -> Option<Self> {
        let owner = match peer {
            Peer::Unix(credentials) => Owner::User(credentials.uid),
            Peer::Tcp(address) => Owner::Address(address.ip()),
            _ => Owner::Other,
        };
        let mut taken = seats.taken();
        let all: usize = taken.values().sum();
        let own = taken.entry(owner.clone()).or_default();
        if all >= seats.options.max_connections || *own >= seats.options.max_connections_per_user {
            return None;
        }
        *own += 1;
        drop(taken);
        Some(Self {
            seats: Arc::clone(seats),
            owner,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if let Some(own) = taken.get_mut(&self.owner) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.owner);
            }
        }
    }
}
