//! The loop in which a server takes connections, whatever protocol then speaks on them.

use crate::{Endpoint, Listener, Seats, Wire};
use ipc_async::Async;
use ipc_core::Result;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;

/// How long a listener rests after a failure that does not pass by itself, such as having no
/// descriptor left.
const REST: Duration = Duration::from_millis(50);

/// A listener and the loop that takes its connections: within the limits of its seats, past every
/// failure, until it is told to stop.
#[derive(Debug)]
pub struct Acceptor {
    listener: Listener,
    seats: Seats,
    stopper: Stopper,
}

/// Ends a way into a server in order: no new connections, and each one that is there is told.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: watch::Sender<bool>,
}

impl Default for Stopper {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
        }
    }
}

impl Stopper {
    /// What ends nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What learns of it.
    #[must_use]
    pub fn stopped(&self) -> Stopped {
        Stopped {
            stop: self.stop.subscribe(),
        }
    }

    /// Ends it.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// What a connection learns of the end of its server.
#[derive(Clone, Debug)]
pub struct Stopped {
    stop: watch::Receiver<bool>,
}

impl Stopped {
    /// One that never comes.
    #[must_use]
    pub fn never() -> Self {
        Stopper::new().stopped()
    }

    /// Waits for it.
    pub async fn wait(&mut self) {
        if self.stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could say so.
            std::future::pending::<()>().await;
        }
    }
}

impl Acceptor {
    /// Takes the connections of `listener`, as many as there are `seats`.
    #[must_use]
    pub fn new(listener: Listener, seats: Seats) -> Self {
        Self {
            listener,
            seats,
            stopper: Stopper::new(),
        }
    }

    /// What ends it in order.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// As [`Listener::endpoint`].
    pub fn endpoint(&self) -> Result<Endpoint> {
        self.listener.endpoint()
    }

    /// Takes connections and has `serve` serve each in a task of its own, until it is stopped and
    /// the last of them has ended.
    ///
    /// # Errors
    /// Where the listener cannot be awaited. No failure of a connection ends it.
    pub async fn run<F, Fut>(self, mut serve: F) -> Result<()>
    where
        F: FnMut(Wire, Stopped) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = Async::new(self.listener)?;
        let mut stopped = self.stopper.stopped();
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                () = stopped.wait() => break,
            };
            match accepted {
                Ok(wire) => {
                    let Some(seat) = self.seats.take(wire.peer()) else {
                        tracing::warn!(peer = ?wire.peer(), "refused: too many connections");
                        continue;
                    };
                    let served = serve(wire, self.stopper.stopped());
                    connections.spawn(async move {
                        let _seat = seat;
                        served.await;
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
