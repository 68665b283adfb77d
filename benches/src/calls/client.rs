//! A client of calls on tokio: what makers write, and the endpoint around it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    runtime::Runtime,
    task::{JoinError, JoinSet},
};

use super::{Batch, Calls, Socket};
use crate::{family::Endpoint, payload, stage};

/// A client that many tasks share.
pub trait Caller: Clone + Send + Sync + 'static {
    /// Makes one call.
    fn call(&self, message: Vec<u8>) -> impl Future<Output = io::Result<Vec<u8>>> + Send;

    /// Makes one call with a stream of arguments, which the server counts.
    fn stream(&self, messages: Messages) -> impl Future<Output = io::Result<()>> + Send {
        let _ = messages;
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Makes one call with a stream of arguments, each of which is answered by itself, and checks
    /// each answer.
    fn relay(&self, messages: Messages) -> impl Future<Output = io::Result<()>> + Send {
        let _ = messages;
        async { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Makes one call that these messages answer, and checks each.
    fn receive(&self, messages: Messages) -> impl Future<Output = io::Result<()>> + Send {
        let _ = messages;
        async { Err(io::ErrorKind::Unsupported.into()) }
    }
}

/// The messages of a batch, which a stream owns.
#[derive(Clone, Debug)]
pub struct Messages {
    message: Vec<u8>,
    first: u64,
    messages: u32,
    next: u32,
}

/// Bytes of an order for messages.
const ORDER_BYTES: usize = 20;

impl Messages {
    pub(super) fn of(batch: &Batch<'_>) -> Messages {
        Messages {
            message: batch.message.to_vec(),
            first: batch.first,
            messages: batch.messages,
            next: 0,
        }
    }

    /// How many there are.
    pub fn all(&self) -> u32 {
        self.messages
    }

    /// The argument that asks a server for them.
    pub fn order(&self) -> Vec<u8> {
        let mut order = self.first.to_le_bytes().to_vec();
        order.extend(self.messages.to_le_bytes());
        order.extend((self.message.len() as u64).to_le_bytes());
        order
    }

    /// What a server gives for such an order.
    pub fn ordered(order: &[u8]) -> io::Result<Messages> {
        let order: [u8; ORDER_BYTES] = order
            .try_into()
            .map_err(|_| io::Error::other("an order of another length"))?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, length @ ..] = order;
        Ok(Messages {
            message: vec![1; u64::from_le_bytes(length) as usize],
            first: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            messages: u32::from_le_bytes([i, j, k, l]),
            next: 0,
        })
    }

    /// Checks the next one that came.
    pub fn check(&mut self, came: &[u8]) -> io::Result<()> {
        let batch = Batch {
            message: &self.message,
            first: self.first,
            messages: self.messages,
        };
        batch.check(self.next, came)?;
        self.next += 1;
        Ok(())
    }

    /// Whether all have come.
    pub fn done(&self) -> io::Result<()> {
        match self.next == self.messages {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Iterator for Messages {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.next == self.messages {
            return None;
        }
        let mut message = self.message.clone();
        payload::stamp(&mut message, self.first + u64::from(self.next));
        self.next += 1;
        Some(message)
    }
}

/// The worker's end of such a client.
#[derive(Debug)]
pub struct AsyncClient<C> {
    caller: C,
    /// Over the connections besides the first.
    others: Vec<C>,
    runtime: Runtime,
    answer: Vec<u8>,
}

impl<C: Caller> AsyncClient<C> {
    /// The client that `connect` makes of each connection within a runtime.
    pub fn connect<F>(
        sockets: Vec<Socket>,
        connect: impl Fn(Socket) -> F,
    ) -> io::Result<Box<dyn Endpoint>>
    where
        F: Future<Output = io::Result<C>>,
    {
        AsyncClient::within(|| async {
            let mut callers = Vec::new();
            for socket in sockets {
                callers.push(connect(socket).await?);
            }
            Ok(callers)
        })
    }

    /// The client of what `connect` makes within a runtime.
    pub fn within<F>(connect: impl FnOnce() -> F) -> io::Result<Box<dyn Endpoint>>
    where
        F: Future<Output = io::Result<Vec<C>>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let callers = runtime.block_on(async { connect().await })?;
        let mut callers = callers.into_iter();
        Ok(Box::new(AsyncClient {
            caller: callers.next().ok_or(io::ErrorKind::NotConnected)?,
            others: callers.collect(),
            runtime,
            answer: Vec::new(),
        }))
    }
}

impl<C: Caller> Endpoint for AsyncClient<C> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.answer = self.runtime.block_on(self.caller.call(message.to_vec()))?;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(&self.answer, into)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl<C: Caller> Calls for AsyncClient<C> {
    fn keep_under_way(&mut self, batch: &Batch<'_>, under_way: u32) -> io::Result<()> {
        let next = Arc::new(AtomicU32::new(0));
        let messages = Arc::new(Messages::of(batch));
        self.runtime.block_on(async {
            let mut tasks: JoinSet<io::Result<()>> = JoinSet::new();
            let callers = std::iter::once(&self.caller).chain(&self.others);
            for caller in callers.cycle().take(under_way as usize) {
                let caller = caller.clone();
                let (next, messages) = (Arc::clone(&next), Arc::clone(&messages));
                tasks.spawn(async move {
                    let batch = Batch {
                        message: &messages.message,
                        first: messages.first,
                        messages: messages.messages,
                    };
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        if place >= batch.messages {
                            return Ok(());
                        }
                        batch.check(place, &caller.call(batch.at(place)).await?)?;
                    }
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok(())
        })
    }

    fn stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let messages = Messages::of(batch);
        self.runtime.block_on(self.caller.stream(messages))
    }

    fn receive_stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let messages = Messages::of(batch);
        self.runtime.block_on(self.caller.receive(messages))
    }

    fn both_streams(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let messages = Messages::of(batch);
        self.runtime.block_on(self.caller.relay(messages))
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            let mut due = stage::now();
            for place in 0..batch.messages {
                yield_until(due).await;
                let (caller, message, at) = (self.caller.clone(), batch.at(place), due);
                tasks.spawn(async move {
                    let answer = caller.call(message).await;
                    answer.map(|answer| (place, answer, stage::now() - at))
                });
                while let Some(ended) = tasks.try_join_next() {
                    laps.push(checked(batch, ended)?);
                }
                due += every_ns;
            }
            while let Some(ended) = tasks.join_next().await {
                laps.push(checked(batch, ended)?);
            }
            Ok(())
        })
    }
}

/// Lets others run until then: a timer of the runtime is a thousand times too coarse.
pub(super) async fn yield_until(due: u64) {
    while stage::now() < due {
        tokio::task::yield_now().await;
    }
}

/// The place of a call, its answer, and how long it took.
type Ended = Result<io::Result<(u32, Vec<u8>, u64)>, JoinError>;

/// The time of a call whose answer is right.
pub(super) fn checked(batch: &Batch<'_>, ended: Ended) -> io::Result<u64> {
    let (place, answer, lap) = ended.map_err(io::Error::other)??;
    batch.check(place, &answer)?;
    Ok(lap)
}

/// The answer as a message of the length that was sent.
pub(super) fn whole(answer: &[u8], into: &mut [u8]) -> io::Result<()> {
    if answer.len() != into.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    into.copy_from_slice(answer);
    Ok(())
}

/// One call after the other at a fixed rate, for clients that cannot do more at once.
pub(super) fn one_by_one(
    batch: &Batch<'_>,
    every_ns: u64,
    laps: &mut Vec<u64>,
    mut call: impl FnMut(Vec<u8>) -> io::Result<Vec<u8>>,
) -> io::Result<()> {
    let mut due = stage::now();
    for place in 0..batch.messages {
        let message = batch.at(place);
        while stage::now() < due {
            std::hint::spin_loop();
        }
        let answer = call(message)?;
        laps.push(stage::now() - due);
        batch.check(place, &answer)?;
        due += every_ns;
    }
    Ok(())
}
