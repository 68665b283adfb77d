//! One span a call, in a W3C trace that goes on through every binding.

use crate::TraceContext;
use crate::call::{Call, CallFuture, Channel};
use std::future::poll_fn;
use tower_layer::Layer;
use tracing::{Level, Span, field};

/// A layer that puts each call into a span (target `rpc`), and begins a trace where there is
/// none. On both sides of a wire it gives the two spans of a call one trace id.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spans;

impl<C> Layer<C> for Spans {
    type Service = Spanned<C>;
    fn layer(&self, inner: C) -> Spanned<C> {
        Spanned { inner }
    }
}

/// A channel whose calls have spans; see [`Spans`].
#[derive(Clone, Debug)]
pub struct Spanned<C> {
    inner: C,
}

impl<C: Channel> Channel for Spanned<C> {
    fn call(&self, mut call: Call) -> CallFuture {
        let trace = call.context.traced();
        let trace = trace.map_or_else(TraceContext::root, TraceContext::child);
        call.context = call.context.trace(trace);
        if !tracing::enabled!(target: "rpc", Level::INFO) {
            return self.inner.call(call);
        }
        let span = tracing::info_span!(
            target: "rpc", "call",
            service = call.method.service, method = call.method.name,
            trace = %trace, code = field::Empty,
        );
        let mut work = span.in_scope(|| self.inner.call(call));
        Box::pin(async move {
            let outcome = poll_fn(|task| span.in_scope(|| work.as_mut().poll(task))).await;
            note(&span, outcome.as_ref().err());
            outcome
        })
    }
}

fn note(span: &Span, failure: Option<&crate::Status>) {
    let code = failure.map_or("OK", |status| status.code().name());
    span.record("code", code);
}
