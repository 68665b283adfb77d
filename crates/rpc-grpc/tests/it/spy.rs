//! A layer that sees what arrives at a server, and how many calls run.

use futures_util::StreamExt;
use rpc_core::{Body, Call, CallFuture, Channel, Code, Context, Status, ready};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tower_layer::Layer;

/// What was seen, shared by all clones.
#[derive(Clone)]
pub(crate) struct Spy {
    contexts: Arc<Mutex<Vec<Context>>>,
    running: watch::Sender<usize>,
}

impl Spy {
    pub(crate) fn new() -> Self {
        Self {
            contexts: Arc::default(),
            running: watch::Sender::new(0),
        }
    }

    /// The context of the last call that came.
    pub(crate) fn last(&self) -> Context {
        let contexts = self.contexts.lock().expect("no panic while it is held");
        contexts.last().expect("a call came").clone()
    }

    /// How many calls came.
    pub(crate) fn count(&self) -> usize {
        self.contexts
            .lock()
            .expect("no panic while it is held")
            .len()
    }

    /// Waits until so many calls run.
    pub(crate) async fn running(&self, calls: usize) {
        let mut running = self.running.subscribe();
        running
            .wait_for(|now| *now == calls)
            .await
            .expect("we hold the other end");
    }
}

struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

impl<C: Channel> Layer<C> for Spy {
    type Service = Spied<C>;
    fn layer(&self, inner: C) -> Spied<C> {
        Spied {
            inner,
            spy: self.clone(),
        }
    }
}

pub(crate) struct Spied<C> {
    inner: C,
    spy: Spy,
}

impl<C: Channel> Channel for Spied<C> {
    fn call(&self, call: Call) -> CallFuture {
        let metadata = call.context.metadata().clone();
        let contexts = &self.spy.contexts;
        contexts
            .lock()
            .expect("no panic while it is held")
            .push(call.context.clone());
        if let Some(code) = metadata
            .text("fail-with")
            .and_then(|code| code.parse().ok())
        {
            let status = Status::new(Code::from_number(code), "as asked: ☺ 100%")
                .detail("type.googleapis.com/google.rpc.RetryInfo", &b"\0\xff"[..])
                .retry_after_millis(70);
            return ready(Err(status));
        }
        self.spy.running.send_modify(|running| *running += 1);
        let running = Running(self.spy.running.clone());
        let work = self.inner.call(call);
        Box::pin(async move {
            let mut reply = work.await?;
            for (name, value) in metadata
                .iter()
                .filter(|(name, _)| name.starts_with("echo-"))
            {
                reply.metadata.insert(name, value)?;
            }
            reply.body = match reply.body {
                Body::Many(items) => Body::Many(Box::pin(items.map(move |item| {
                    let _held = &running;
                    item
                }))),
                one => one,
            };
            Ok(reply)
        })
    }
}
