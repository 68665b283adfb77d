//! What a generated client stub calls: one function for each kind of method.

use crate::call::{Body, Call, Channel, Reply, innermost};
use crate::context::expired;
use crate::descriptor::MethodDescriptor;
use crate::direct::DirectCall;
use crate::streaming::Streaming;
use crate::timer::until;
use crate::wire::{Message, Payload};
use crate::{Code, Context, Status};
use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

/// How long a call takes at most where neither the caller nor the contract says.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// Calls a unary method.
///
/// # Errors
/// What the server answered, or why nothing came of it.
pub async fn unary<C: Channel, A: Message, R: Message>(
    channel: &C,
    method: &'static MethodDescriptor,
    cx: &Context,
    arguments: A,
) -> Result<R, Status> {
    if let Some(outcome) = directly(channel, method, cx, &arguments) {
        return outcome;
    }
    let call = prepare(method, cx, Body::One(Payload::of(arguments)))?;
    reply(channel, call).await?.body.one().map_err(unread)
}

/// Sends a oneway call: done when it is on its way.
///
/// # Errors
/// Why it could not be sent; nothing is known of what the server did.
pub async fn oneway<C: Channel, A: Message>(
    channel: &C,
    method: &'static MethodDescriptor,
    cx: &Context,
    arguments: A,
) -> Result<(), Status> {
    let call = prepare(method, cx, Body::One(Payload::of(arguments)))?;
    reply(channel, call).await.map(drop)
}

/// Calls a method that answers with a stream.
///
/// # Errors
/// As [`unary`]; later failures are items of the stream.
pub async fn server_stream<C: Channel, A: Message, R: Message>(
    channel: &C,
    method: &'static MethodDescriptor,
    cx: &Context,
    arguments: A,
) -> Result<Streaming<R>, Status> {
    let call = prepare(method, cx, Body::One(Payload::of(arguments)))?;
    let deadline = call.context.expires();
    let stream = reply(channel, call).await?.body.many()?;
    Ok(Streaming::new(stream, deadline).of_answers())
}

/// Calls a method whose arguments are a stream.
///
/// # Errors
/// As [`unary`].
pub async fn client_stream<C, A, R, S>(
    channel: &C,
    method: &'static MethodDescriptor,
    cx: &Context,
    items: S,
) -> Result<R, Status>
where
    C: Channel,
    A: Message,
    R: Message,
    S: Stream<Item = A> + Send + 'static,
{
    let call = prepare(method, cx, many(items))?;
    reply(channel, call).await?.body.one().map_err(unread)
}

/// Calls a method with streams in both directions.
///
/// # Errors
/// As [`unary`]; later failures are items of the stream.
pub async fn bidirectional<C, A, R, S>(
    channel: &C,
    method: &'static MethodDescriptor,
    cx: &Context,
    items: S,
) -> Result<Streaming<R>, Status>
where
    C: Channel,
    A: Message,
    R: Message,
    S: Stream<Item = A> + Send + 'static,
{
    let call = prepare(method, cx, many(items))?;
    let deadline = call.context.expires();
    let stream = reply(channel, call).await?.body.many()?;
    Ok(Streaming::new(stream, deadline).of_answers())
}

/// The call with the deadline that holds: what the context says (which has what was inherited),
/// the contract's, or the default, whichever is first.
fn prepare(method: &'static MethodDescriptor, cx: &Context, body: Body) -> Result<Call, Status> {
    let mut context = cx.outbound();
    context.set_deadline(deadline(method, &context, Instant::now())?);
    Ok(Call {
        method,
        context,
        body,
    })
}

fn deadline(
    method: &'static MethodDescriptor,
    context: &Context,
    now: Instant,
) -> Result<Instant, Status> {
    let limit = method.deadline.unwrap_or(DEFAULT_DEADLINE);
    let deadline = match (context.expires(), method.deadline) {
        (Some(own), None) => own,
        (own, _) => {
            let most = now.checked_add(limit).unwrap_or(now);
            own.map_or(most, |own| own.min(most))
        }
    };
    match now < deadline {
        true => Ok(deadline),
        false => Err(expired().before_running()),
    }
}

/// The same where the channel waits on this thread: by reference, and by one look at the clock.
fn directly<C: Channel, A: Message, R: Message>(
    channel: &C,
    method: &'static MethodDescriptor,
    cx: &Context,
    arguments: &A,
) -> Option<Result<R, Status>> {
    let channel = innermost(channel, method);
    if !channel.calls_directly() {
        return None;
    }
    let nested;
    let context = match cx.is_sent_as_it_is() {
        true => cx,
        false => {
            nested = cx.outbound();
            &nested
        }
    };
    let now = Instant::now();
    let deadline = match deadline(method, context, now) {
        Ok(deadline) => deadline,
        Err(late) => return Some(Err(late)),
    };
    let mut answer = R::default();
    let outcome = channel.call_directly(&mut DirectCall {
        method,
        context,
        deadline,
        now,
        arguments,
        answer: &mut answer,
    })?;
    Some(outcome.map(|()| answer))
}

async fn reply<C: Channel>(channel: &C, call: Call) -> Result<Reply, Status> {
    let deadline = call.context.expires();
    match until(deadline, channel.call(call)).await {
        Some(outcome) => outcome,
        None => Err(expired()),
    }
}

/// An answer that cannot be read is no fault of the caller's arguments.
pub(crate) fn unread(status: Status) -> Status {
    match status.code() {
        Code::InvalidArgument => Status::new(Code::Internal, status.message().to_owned()),
        _ => status,
    }
}

fn many<A: Message>(items: impl Stream<Item = A> + Send + 'static) -> Body {
    struct Payloads<S>(Pin<Box<S>>);
    impl<A: Message, S: Stream<Item = A> + Send> Stream for Payloads<S> {
        type Item = Result<Payload, Status>;
        fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
            let item = self.0.as_mut().poll_next(task);
            item.map(|item| item.map(|item| Ok(Payload::of(item))))
        }
    }
    Body::Many(Box::pin(Payloads(Box::pin(items))))
}
