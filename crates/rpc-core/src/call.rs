//! A call and its reply without their types: what layers, bindings and transports pass along.

use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::direct::{DirectCall, DirectRequest};
use crate::wire::{Message, Payload};
use crate::{Code, Context, Metadata, Status};
use futures_core::Stream;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The reply that is on its way.
pub type CallFuture = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

/// Many messages on their way.
pub type PayloadStream = Pin<Box<dyn Stream<Item = Result<Payload, Status>> + Send>>;

/// What is sent: one message, or many.
pub enum Body {
    /// One.
    One(Payload),
    /// Many.
    Many(PayloadStream),
}

impl Body {
    /// The one message.
    ///
    /// # Errors
    /// As [`Payload::take`]; [`Code::Internal`] where a stream came.
    pub fn one<T: Message>(self) -> Result<T, Status> {
        match self {
            Self::One(payload) => payload.take(),
            Self::Many(_) => Err(Status::new(
                Code::Internal,
                "a stream where one message belongs",
            )),
        }
    }

    /// The stream.
    ///
    /// # Errors
    /// [`Code::Internal`] where one message came.
    pub fn many(self) -> Result<PayloadStream, Status> {
        match self {
            Self::Many(stream) => Ok(stream),
            Self::One(_) => Err(Status::new(
                Code::Internal,
                "one message where a stream belongs",
            )),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(payload) => f.debug_tuple("One").field(payload).finish(),
            Self::Many(_) => f.write_str("Many(..)"),
        }
    }
}

/// A call: the method, what it carries, what is sent.
#[derive(Debug)]
pub struct Call {
    /// What is called; every policy is keyed by it.
    pub method: &'static MethodDescriptor,
    /// Deadline, trace, identity, metadata.
    pub context: Context,
    /// The arguments.
    pub body: Body,
}

/// A reply.
#[derive(Debug)]
pub struct Reply {
    /// What travels beside the answer.
    pub metadata: Metadata,
    /// The answer.
    pub body: Body,
}

impl Reply {
    /// An answer of one message.
    #[must_use]
    pub const fn one(payload: Payload) -> Self {
        Self {
            metadata: Metadata::new(),
            body: Body::One(payload),
        }
    }

    /// An answer of many.
    #[must_use]
    pub const fn many(stream: PayloadStream) -> Self {
        Self {
            metadata: Metadata::new(),
            body: Body::Many(stream),
        }
    }
}

/// Where calls go: a connection, a router in this process, or either with layers around it.
///
/// It takes `&self`, so that one channel serves many callers without a clone or a lock, and its
/// future is a box, so that a layer which has nothing to do hands the inner one through and costs
/// nothing. [`Tower`](crate::Tower) makes a `tower` service of it and back.
pub trait Channel: Send + Sync + 'static {
    /// Makes the call. Dropping the future cancels it.
    fn call(&self, call: Call) -> CallFuture;

    /// The channel behind this one, where this one does nothing at all with calls of the method.
    fn behind(&self, method: &'static MethodDescriptor) -> Option<&dyn Channel> {
        let _ = method;
        None
    }

    /// Whether [`call_directly`](Channel::call_directly) makes calls.
    fn calls_directly(&self) -> bool {
        false
    }

    /// Makes a unary call and waits for its answer on this thread, where the channel works so;
    /// `None` where it does not, and then nothing has been done.
    fn call_directly(&self, call: &mut DirectCall<'_>) -> Option<Result<(), Status>> {
        let _ = call;
        None
    }

    /// Whether [`serve_directly`](Channel::serve_directly) serves unary calls of this method.
    fn serves_directly(&self, method: &MethodDescriptor) -> bool {
        let _ = method;
        false
    }

    /// Serves a unary call to its end on this thread; `None` where the channel does not, and then
    /// nothing has been done.
    fn serve_directly(&self, request: &mut DirectRequest<'_>) -> Option<Result<(), Status>> {
        let _ = request;
        None
    }
}

/// Where calls of a method arrive when each layer that does nothing with them is passed by.
pub fn innermost<'a>(
    mut channel: &'a dyn Channel,
    method: &'static MethodDescriptor,
) -> &'a dyn Channel {
    while let Some(behind) = channel.behind(method) {
        channel = behind;
    }
    channel
}

impl<C: Channel + ?Sized> Channel for Arc<C> {
    fn call(&self, call: Call) -> CallFuture {
        (**self).call(call)
    }

    fn behind(&self, method: &'static MethodDescriptor) -> Option<&dyn Channel> {
        (**self).behind(method)
    }

    fn calls_directly(&self) -> bool {
        (**self).calls_directly()
    }

    fn call_directly(&self, call: &mut DirectCall<'_>) -> Option<Result<(), Status>> {
        (**self).call_directly(call)
    }

    fn serves_directly(&self, method: &MethodDescriptor) -> bool {
        (**self).serves_directly(method)
    }

    fn serve_directly(&self, request: &mut DirectRequest<'_>) -> Option<Result<(), Status>> {
        (**self).serve_directly(request)
    }
}

/// A service that can be called without knowing its types: what the skeleton is.
pub trait Dispatch: Send + Sync + 'static {
    /// What it offers.
    fn descriptor(&self) -> &'static ServiceDescriptor;
    /// Runs a call of one of its methods. The arguments are decoded before this returns.
    fn dispatch(&self, call: Call) -> CallFuture;

    /// Whether [`dispatch_directly`](Dispatch::dispatch_directly) runs all its unary methods.
    fn dispatches_directly(&self) -> bool {
        false
    }

    /// Runs a unary call to its end on this thread; `None` where the method is of another kind,
    /// or only [`dispatch`](Dispatch::dispatch) knows it, and then nothing has been done.
    fn dispatch_directly(&self, request: &mut DirectRequest<'_>) -> Option<Result<(), Status>> {
        let _ = request;
        None
    }
}

/// A reply that is here already.
pub fn ready(outcome: Result<Reply, Status>) -> CallFuture {
    Box::pin(std::future::ready(outcome))
}
