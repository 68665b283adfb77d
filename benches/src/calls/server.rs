//! A server of calls in a thread of its own: the worker's thread only waits until enough calls
//! have come, so that a server costs here what it costs its users.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
};

use super::Flow;
use crate::family::Endpoint;

/// Counts the messages of a server, and wakes who waits for so many.
#[derive(Debug)]
pub struct Tally {
    messages: AtomicU64,
    wanted: AtomicU64,
    waiter: Thread,
    over: AtomicBool,
    why: Mutex<Option<String>>,
}

impl Tally {
    fn new() -> Arc<Tally> {
        Arc::new(Tally {
            messages: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
            waiter: thread::current(),
            over: AtomicBool::new(false),
            why: Mutex::new(None),
        })
    }

    /// One for which nobody waits.
    pub fn unwatched() -> Arc<Tally> {
        Tally::new()
    }

    /// One more message has been taken or given.
    #[inline]
    pub fn count(&self) {
        let messages = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
        if messages >= self.wanted.load(Ordering::SeqCst) {
            self.waiter.unpark();
        }
    }

    fn end(&self, outcome: io::Result<()>) {
        let why = outcome.err().map(|error| error.to_string());
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
        self.over.store(true, Ordering::SeqCst);
        self.waiter.unpark();
    }
}

/// The worker's view of a server.
#[derive(Debug)]
pub struct Serving {
    tally: Arc<Tally>,
    served: u64,
}

impl Serving {
    /// Starts a thread for each server, which all count in one tally.
    pub fn start<S>(servers: Vec<S>) -> io::Result<Box<dyn Endpoint>>
    where
        S: FnOnce(Arc<Tally>) -> io::Result<()> + Send + 'static,
    {
        let tally = Tally::new();
        for server in servers {
            let over = Over(Arc::clone(&tally));
            thread::Builder::new()
                .name("server".to_owned())
                .spawn(move || {
                    let outcome = server(Arc::clone(&over.0));
                    over.0.end(outcome);
                })?;
        }
        Ok(Box::new(Serving { tally, served: 0 }))
    }

    /// One server that a runtime of its own runs.
    pub fn run<F, S>(server: F) -> io::Result<Box<dyn Endpoint>>
    where
        F: FnOnce(Arc<Tally>) -> S + Send + 'static,
        S: Future<Output = io::Result<()>>,
    {
        let run = move |tally| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build_local(Default::default())?;
            runtime.block_on(server(tally))
        };
        Serving::start(vec![run])
    }
}

/// Says of a server that panicked that it is over, too.
struct Over(Arc<Tally>);

impl Drop for Over {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end(Err(io::Error::other("it panicked")));
        }
    }
}

impl Endpoint for Serving {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn serve(&mut self, _: Flow, messages: u32) -> io::Result<bool> {
        self.served += u64::from(messages);
        self.tally.wanted.store(self.served, Ordering::SeqCst);
        while self.tally.messages.load(Ordering::SeqCst) < self.served {
            if self.tally.over.load(Ordering::SeqCst) {
                let why = self.tally.why.lock();
                let why = why.unwrap_or_else(PoisonError::into_inner).clone();
                let why = why.unwrap_or_else(|| "its client has gone".to_owned());
                return Err(io::Error::other(format!("the server has ended: {why}")));
            }
            thread::park();
        }
        Ok(true)
    }
}
