//! Between channels and services of the `tower` ecosystem.

use crate::Status;
use crate::call::{Call, CallFuture, Channel, Reply};
use std::future::poll_fn;
use std::task::{Context as Task, Poll};
use tower_service::Service;

/// A channel as a `tower` service.
///
/// A channel is always ready.
#[derive(Clone, Debug)]
pub struct Tower<S>(pub S);

impl<C: Channel> Service<Call> for Tower<C> {
    type Response = Reply;
    type Error = Status;
    type Future = CallFuture;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> CallFuture {
        self.0.call(call)
    }
}

/// A `tower` service of calls as a channel: cloned for each call, and waited for until it is ready.
#[derive(Clone, Debug)]
pub struct FromTower<S>(pub S);

impl<S> Channel for FromTower<S>
where
    S: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<Status>,
    S::Future: Send,
{
    fn call(&self, call: Call) -> CallFuture {
        let mut service = self.0.clone();
        Box::pin(async move {
            poll_fn(|task| service.poll_ready(task))
                .await
                .map_err(Into::into)?;
            service.call(call).await.map_err(Into::into)
        })
    }
}
