//! What a generated server skeleton calls: decode, run the method within its limits, answer.

use crate::call::{Body, Call, CallFuture, PayloadStream, Reply, ready};
use crate::context::expired;
use crate::direct::{Came, DirectRequest};
use crate::executor::block_on;
use crate::streaming::{Out, Streaming, generate};
use crate::timer::Timer;
use crate::wire::{Message, Payload};
use crate::{Code, Context, Status};
use futures_core::Stream;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context as Task, Poll};

/// Runs a unary method.
pub fn unary<A, R, F, Fut>(call: Call, run: F) -> CallFuture
where
    A: Message,
    R: Message,
    F: FnOnce(Context, A) -> Fut,
    Fut: Future<Output = Result<R, Status>> + Send + 'static,
{
    if let Err(late) = call.context.check() {
        return ready(Err(late.before_running()));
    }
    let arguments = match call.body.one() {
        Ok(arguments) => arguments,
        Err(status) => return ready(Err(status.before_running())),
    };
    let bounds = Bounds::of(&call.context);
    let answer = run(call.context, arguments);
    one(bounds, answer)
}

/// Runs a unary method to its end, on the thread that has read its call.
pub fn unary_directly<A, R, F, Fut>(
    request: &mut DirectRequest<'_>,
    run: F,
) -> Option<Result<(), Status>>
where
    A: Message,
    R: Message,
    F: FnOnce(Context, A) -> Fut,
    Fut: Future<Output = Result<R, Status>>,
{
    let context = std::mem::take(&mut request.context);
    if context.expires().is_some_and(|at| request.now >= at) {
        return Some(Err(expired().before_running()));
    }
    let mut arguments = A::default();
    if let Err(wrong) = request.message.decode(request.codec, &mut arguments) {
        return Some(Err(wrong.before_running()));
    }
    // What came while it was read may have taken longer than the call has.
    if matches!(request.message, Came::Arriving(_))
        && let Err(late) = context.check()
    {
        return Some(Err(late.before_running()));
    }
    let mut bounds = Bounds::of(&context);
    let mut answer = pin!(run(context, arguments));
    let work = poll_fn(|task| bounds.poll(task, |task| answer.as_mut().poll(task), Err));
    Some(block_on(work).map(|answer| (request.give)(&answer)))
}

/// Runs a method that answers nothing.
pub fn oneway<A, F, Fut>(call: Call, run: F) -> CallFuture
where
    A: Message,
    F: FnOnce(Context, A) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    unary(call, move |cx, arguments| {
        let work = run(cx, arguments);
        async move {
            work.await;
            Ok(())
        }
    })
}

/// Runs a method whose arguments are a stream.
pub fn client_stream<A, R, F, Fut>(call: Call, run: F) -> CallFuture
where
    A: Message,
    R: Message,
    F: FnOnce(Context, Streaming<A>) -> Fut,
    Fut: Future<Output = Result<R, Status>> + Send + 'static,
{
    if let Err(late) = call.context.check() {
        return ready(Err(late.before_running()));
    }
    let items = match call.body.many() {
        Ok(items) => Streaming::new(items, call.context.expires()),
        Err(status) => return ready(Err(status.before_running())),
    };
    let bounds = Bounds::of(&call.context);
    let answer = run(call.context, items);
    one(bounds, answer)
}

/// Runs a method that answers with a stream.
pub fn server_stream<A, R, F, Fut>(call: Call, run: F) -> CallFuture
where
    A: Message,
    R: Message,
    F: FnOnce(Context, A, Out<R>) -> Fut,
    Fut: Future<Output = Result<(), Status>> + Send + 'static,
{
    if let Err(late) = call.context.check() {
        return ready(Err(late.before_running()));
    }
    let arguments = match call.body.one() {
        Ok(arguments) => arguments,
        Err(status) => return ready(Err(status.before_running())),
    };
    let bounds = Bounds::of(&call.context);
    let context = call.context;
    many(bounds, generate(|out| run(context, arguments, out)))
}

/// Runs a method with streams in both directions.
pub fn bidirectional<A, R, F, Fut>(call: Call, run: F) -> CallFuture
where
    A: Message,
    R: Message,
    F: FnOnce(Context, Streaming<A>, Out<R>) -> Fut,
    Fut: Future<Output = Result<(), Status>> + Send + 'static,
{
    if let Err(late) = call.context.check() {
        return ready(Err(late.before_running()));
    }
    let items = match call.body.many() {
        Ok(items) => Streaming::new(items, call.context.expires()),
        Err(status) => return ready(Err(status.before_running())),
    };
    let bounds = Bounds::of(&call.context);
    let context = call.context;
    many(bounds, generate(|out| run(context, items, out)))
}

/// Runs a method whose messages this process does not look into: its deadline, the context that
/// nested calls inherit and the net under panics are those of every other method.
pub fn opaque<F, Fut>(call: Call, run: F) -> CallFuture
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Reply, Status>> + Send + 'static,
{
    if let Err(late) = call.context.check() {
        return ready(Err(late.before_running()));
    }
    let mut bounds = Bounds::of(&call.context);
    let after = Bounds::of(&call.context);
    let answer = run(call);
    Box::pin(async move {
        let mut answer = Box::pin(answer);
        let work = poll_fn(|task| bounds.poll(task, |task| answer.as_mut().poll(task), Err));
        let mut reply = work.await?;
        if let Body::Many(stream) = reply.body {
            let bounds = after;
            reply.body = Body::Many(Box::pin(Bounded { bounds, stream }));
        }
        Ok(reply)
    })
}

/// A call of a method that the service has not.
pub fn unknown(call: &Call) -> CallFuture {
    ready(Err(Status::new(
        Code::Unimplemented,
        format!("{} has no method {}", call.method.service, call.method.name),
    )
    .before_running()))
}

fn many(bounds: Bounds, stream: PayloadStream) -> CallFuture {
    let stream = Bounded { bounds, stream };
    ready(Ok(Reply::many(Box::pin(stream))))
}

fn one<R, F>(mut bounds: Bounds, answer: F) -> CallFuture
where
    R: Message,
    F: Future<Output = Result<R, Status>> + Send + 'static,
{
    Box::pin(async move {
        let mut answer = pin!(answer);
        let work = poll_fn(|task| bounds.poll(task, |task| answer.as_mut().poll(task), Err));
        Ok(Reply::one(Payload::of(work.await?)))
    })
}

/// What a handler runs within: its deadline, the context that nested calls inherit, and a net
/// under panics.
struct Bounds {
    ambient: Option<Context>,
    timer: Option<Timer>,
}

impl Bounds {
    fn of(context: &Context) -> Self {
        Self {
            ambient: Some(context.clone()),
            timer: context.expires().map(Timer::at),
        }
    }

    /// Polls the handler; what it panics with becomes a failure of this call alone.
    fn poll<T>(
        &mut self,
        task: &mut Task<'_>,
        work: impl FnOnce(&mut Task<'_>) -> Poll<T>,
        failed: impl FnOnce(Status) -> T,
    ) -> Poll<T> {
        let ambient = &mut self.ambient;
        let poll = AssertUnwindSafe(|| Context::around(ambient, || work(task)));
        match catch_unwind(poll) {
            Err(_) => {
                tracing::error!("a handler panicked");
                Poll::Ready(failed(Status::new(Code::Internal, "the handler panicked")))
            }
            Ok(Poll::Ready(output)) => Poll::Ready(output),
            Ok(Poll::Pending) => match &mut self.timer {
                Some(timer) => Pin::new(timer).poll(task).map(|()| failed(expired())),
                None => Poll::Pending,
            },
        }
    }
}

/// A handler's stream of answers, within its bounds.
struct Bounded {
    bounds: Bounds,
    stream: PayloadStream,
}

impl Stream for Bounded {
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // Items that never pause must not outrun the deadline.
        if this.bounds.timer.as_ref().is_some_and(Timer::is_over) {
            return Poll::Ready(Some(Err(expired())));
        }
        let stream = &mut this.stream;
        let work = |task: &mut Task<'_>| stream.as_mut().poll_next(task);
        this.bounds.poll(task, work, |status| Some(Err(status)))
    }
}
