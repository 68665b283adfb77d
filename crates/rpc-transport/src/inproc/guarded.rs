//! Work of a call within this process, which ends when its server does.

use super::{Phase, Shared};
use futures_core::Stream;
use rpc_core::{CallFuture, Code, Payload, PayloadStream, Status};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use tokio::runtime::Handle;

type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call that is under way counts.
pub(super) struct Seat(Arc<Shared>);

impl Seat {
    pub(super) fn take(shared: &Arc<Shared>) -> Self {
        shared.under_way.send_modify(|calls| *calls += 1);
        Self(Arc::clone(shared))
    }

    /// Done when the server has ended.
    fn ended(&self) -> Ended {
        let mut phase = self.0.phase.subscribe();
        Box::pin(async move {
            let _ = phase.wait_for(|phase| matches!(phase, Phase::Ended)).await;
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|calls| *calls -= 1);
    }
}

/// `work`, until the server ends; in its runtime where the caller has none.
pub(super) fn guarded(seat: Seat, runtime: Handle, work: CallFuture) -> CallFuture {
    let mut bounds = Bounds::new(seat, runtime);
    let mut work = work;
    Box::pin(std::future::poll_fn(move |task| {
        bounds.poll(task, |task| work.as_mut().poll(task), Err)
    }))
}

/// `items`, until the server ends; in its runtime where the caller has none.
pub(super) fn guarded_items(seat: Seat, runtime: Handle, items: PayloadStream) -> PayloadStream {
    let bounds = Some(Bounds::new(seat, runtime));
    Box::pin(Items { bounds, items })
}

struct Bounds {
    /// Armed when the work first waits.
    ended: Option<Ended>,
    runtime: Handle,
    seat: Seat,
}

impl Bounds {
    const fn new(seat: Seat, runtime: Handle) -> Self {
        Self {
            ended: None,
            runtime,
            seat,
        }
    }

    fn poll<T>(
        &mut self,
        task: &mut Task<'_>,
        work: impl FnOnce(&mut Task<'_>) -> Poll<T>,
        failed: impl FnOnce(Status) -> T,
    ) -> Poll<T> {
        let outcome = {
            let alone = Handle::try_current().is_err();
            let _entered = alone.then(|| self.runtime.enter());
            work(task)
        };
        if outcome.is_ready() {
            return outcome;
        }
        let ended = self.ended.get_or_insert_with(|| self.seat.ended());
        ended.as_mut().poll(task).map(|()| {
            let text = "the server of this process has ended";
            failed(Status::new(Code::Unavailable, text))
        })
    }
}

struct Items {
    /// `None` at the end.
    bounds: Option<Bounds>,
    items: PayloadStream,
}

impl Stream for Items {
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let Self { bounds, items } = &mut *self;
        let Some(within) = bounds else {
            return Poll::Ready(None);
        };
        let work = |task: &mut Task<'_>| items.as_mut().poll_next(task);
        let item = within.poll(task, work, |status| Some(Err(status)));
        if let Poll::Ready(None | Some(Err(_))) = item {
            *bounds = None;
            // The handler is dropped with its stream, also while the caller keeps this one.
            *items = Box::pin(Nothing);
        }
        item
    }
}

struct Nothing;

impl Stream for Nothing {
    type Item = Result<Payload, Status>;
    fn poll_next(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

/// A stream with each item changed.
pub(super) struct Mapped(
    pub(super) PayloadStream,
    pub(super) fn(Payload) -> Result<Payload, Status>,
);

impl Stream for Mapped {
    type Item = Result<Payload, Status>;
    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let item = self.0.as_mut().poll_next(task);
        item.map(|item| item.map(|item| item.and_then(self.1)))
    }
}
