//! Streams of messages, with their types, on both sides.

use crate::Status;
use crate::call::PayloadStream;
use crate::context::expired;
use crate::stub::unread;
use crate::timer::Timer;
use crate::wire::{Message, Payload};
use futures_core::Stream;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll};
use std::time::Instant;

/// Many messages that come in. The first error ends it.
pub struct Streaming<T> {
    inner: Option<PayloadStream>,
    timer: Option<Timer>,
    /// Whether they are answers: what cannot be read is then no fault of a caller.
    answers: bool,
    item: PhantomData<fn() -> T>,
}

impl<T: Message> Streaming<T> {
    /// The messages of `inner`, until `deadline` at the latest.
    #[must_use]
    pub fn new(inner: PayloadStream, deadline: Option<Instant>) -> Self {
        Self {
            inner: Some(inner),
            timer: deadline.map(Timer::at),
            answers: false,
            item: PhantomData,
        }
    }

    pub(crate) const fn of_answers(mut self) -> Self {
        self.answers = true;
        self
    }

    /// The messages of any stream.
    #[must_use]
    pub fn of(stream: impl Stream<Item = Result<T, Status>> + Send + 'static) -> Self {
        struct Payloads<S>(Pin<Box<S>>);
        impl<T: Message, S: Stream<Item = Result<T, Status>>> Stream for Payloads<S> {
            type Item = Result<Payload, Status>;
            fn poll_next(
                mut self: Pin<&mut Self>,
                task: &mut Task<'_>,
            ) -> Poll<Option<Self::Item>> {
                let item = self.0.as_mut().poll_next(task);
                item.map(|item| item.map(|item| item.map(Payload::of)))
            }
        }
        Self::new(Box::pin(Payloads(Box::pin(stream))), None)
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<T, Status>> {
        next(self).await
    }

    fn poll(&mut self, task: &mut Task<'_>) -> Poll<Option<Result<T, Status>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        // The clock is asked also where items come without a pause.
        if let Some(timer) = &mut self.timer
            && Pin::new(timer).poll(task).is_ready()
        {
            return Poll::Ready(Some(Err(expired())));
        }
        let answers = self.answers;
        let take = |payload: Payload| match answers {
            true => payload.take().map_err(unread),
            false => payload.take(),
        };
        inner
            .as_mut()
            .poll_next(task)
            .map(|item| item.map(|item| item.and_then(take)))
    }
}

impl<T: Message> Stream for Streaming<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let outcome = self.poll(task);
        if matches!(outcome, Poll::Ready(None | Some(Err(_)))) {
            // Dropping it cancels what still runs.
            self.inner = None;
        }
        outcome
    }
}

impl<T> fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Streaming(..)")
    }
}

/// The next item of any stream.
pub async fn next<S: Stream + Unpin + ?Sized>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|task| Pin::new(&mut *stream).poll_next(task)).await
}

/// The items of a collection, as a stream.
pub fn items<I>(items: I) -> impl Stream<Item = I::Item> + Send + 'static
where
    I: IntoIterator<IntoIter: Unpin + Send + 'static>,
{
    struct Items<I>(I);
    impl<I: Iterator + Unpin> Stream for Items<I> {
        type Item = I::Item;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Option<I::Item>> {
            Poll::Ready(self.0.next())
        }
    }
    Items(items.into_iter())
}

/// Where a handler's stream of answers goes. The handler runs only as far as its answers are
/// taken.
#[derive(Debug)]
pub struct Out<T> {
    slot: Arc<Mutex<Option<Payload>>>,
    item: PhantomData<fn(T)>,
}

impl<T: Message> Out<T> {
    /// Sends all of `stream`.
    ///
    /// # Errors
    /// The stream's own first error.
    pub async fn forward<S>(self, stream: S) -> Result<(), Status>
    where
        S: Stream<Item = Result<T, Status>>,
    {
        let mut stream = pin!(stream);
        while let Some(item) = next(&mut stream).await {
            let payload = Payload::of(item?);
            *self.slot() = Some(payload);
            // The generator takes it and polls again; nobody else has to wake us.
            std::future::poll_fn(|_| match self.slot().is_none() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
        }
        Ok(())
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Payload>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that fills a slot, as a stream of what it puts there: it may borrow from itself,
/// which a stream that a handler returns could not.
struct Generator<F> {
    future: Option<Pin<Box<F>>>,
    slot: Arc<Mutex<Option<Payload>>>,
}

impl<F> Stream for Generator<F>
where
    F: Future<Output = Result<(), Status>> + Send,
{
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(None);
        };
        let outcome = future.as_mut().poll(task);
        let item = self
            .slot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (item, outcome) {
            (Some(item), Poll::Pending) => Poll::Ready(Some(Ok(item))),
            (None, Poll::Pending) => Poll::Pending,
            (_, Poll::Ready(ended)) => {
                self.future = None;
                Poll::Ready(ended.err().map(Err))
            }
        }
    }
}

/// The stream that `run` makes with what it is given.
pub(crate) fn generate<T, F, Fut>(run: F) -> PayloadStream
where
    F: FnOnce(Out<T>) -> Fut,
    Fut: Future<Output = Result<(), Status>> + Send + 'static,
{
    let slot = Arc::new(Mutex::new(None));
    let out = Out {
        slot: Arc::clone(&slot),
        item: PhantomData,
    };
    Box::pin(Generator {
        future: Some(Box::pin(run(out))),
        slot,
    })
}
