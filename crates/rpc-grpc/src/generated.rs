//! A service that tonic generated from a `.proto`, as one that goes through the call layer.

use crate::compression::Encoding;
use crate::messages::BoxError;
use crate::outgoing::{Caller, Link, Outgoing};
use crate::{framing, metadata, replies};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body as HttpBody;
use rpc_core::{
    Body, Call, CallFuture, Code, Context, Dispatch, MethodDescriptor, Reply, ServiceDescriptor,
    Status, skeleton,
};
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use tower_service::Service;

/// A service that tonic generated from a `.proto`: mounted in a [`Router`](rpc_core::Router), its
/// calls go through the same layers, deadlines and limits as those of every other service, and
/// every binding that speaks protobuf carries them.
///
/// A handler finds the call's [`Context`] among the extensions of its request: the peer, who it
/// is proven to be, the deadline; and [`Context::new`] inherits from it.
#[derive(Clone)]
pub struct Generated<S> {
    service: S,
    descriptor: &'static ServiceDescriptor,
}

impl<S, B> Generated<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// The `service` of this full `name`, by an encoded `FileDescriptorSet` that has it. Make one
    /// for each service of a process: what is read is kept.
    ///
    /// # Errors
    /// As [`ServiceDescriptor::parse`].
    pub fn new(service: S, name: &str, file_descriptor_set: &[u8]) -> Result<Self, Status> {
        let descriptor = ServiceDescriptor::parse(file_descriptor_set, name)?;
        Ok(Self {
            service,
            descriptor,
        })
    }

    async fn run(mut self, call: Call) -> Result<Reply, Status> {
        let Call {
            method,
            context,
            body,
        } = call;
        let link = Link::default();
        let caller = Caller(Arc::clone(&link));
        // The binding has held the messages to their limits.
        let body = match body {
            Body::One(payload) => {
                let message = framing::frame(&payload, Encoding::Identity, usize::MAX);
                Outgoing::one(message.map_err(Status::before_running)?)
            }
            Body::Many(items) => {
                let link = Arc::clone(&link);
                Outgoing::many(items, Encoding::Identity, usize::MAX, link)
            }
        };
        let request = request(method, &context, body)?;
        let Ok(()) = poll_fn(|task| self.service.poll_ready(task)).await;
        let Ok(response) = self.service.call(request).await;
        let reply = replies::read(method, response, usize::MAX, caller).await;
        reply.map_err(|status| link.failure_or(status))
    }
}

fn request(
    method: &MethodDescriptor,
    context: &Context,
    body: Outgoing,
) -> Result<Request<tonic::body::Body>, Status> {
    let mut request = Request::new(tonic::body::Body::new(body));
    let path = format!("/{}/{}", method.service, method.name);
    let path = path.try_into();
    *request.uri_mut() = path
        .map_err(|error: http::uri::InvalidUri| Status::new(Code::Internal, error.to_string()))?;
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert("te", HeaderValue::from_static("trailers"));
    let grpc = HeaderValue::from_static("application/grpc");
    headers.insert("content-type", grpc);
    metadata::outbound(context, headers)?;
    request.extensions_mut().insert(context.clone());
    Ok(request)
}

impl<S, B> Dispatch for Generated<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn descriptor(&self) -> &'static ServiceDescriptor {
        self.descriptor
    }

    fn dispatch(&self, call: Call) -> CallFuture {
        let this = self.clone();
        skeleton::opaque(call, move |call| this.run(call))
    }
}

impl<S> fmt::Debug for Generated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Generated")
            .field(&self.descriptor.name())
            .finish()
    }
}
