//! The client: many calls over one connection.

use crate::compression::Encoding;
use crate::credentials::CallCredentials;
use crate::options::Options;
use crate::outgoing::{Caller, Link, Outgoing};
use crate::patient::Patient;
use crate::{framing, late};
use crate::{metadata, replies, status};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, Uri, Version};
use hyper::client::conn::http2::SendRequest;
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, MethodDescriptor, MethodKind, Reply, Status,
};
use rpc_transport::{Connected, Wire};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A connection to a server, as a channel for stubs. Clones share it; it ends with the last, and
/// with the last stream of answers.
///
/// Tasks of the runtime in which it was made read and write for it.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    sender: SendRequest<Outgoing>,
    /// One permit for each call that may be under way.
    room: Arc<Semaphore>,
    authority: Authority,
    encoding: Encoding,
    max_message_bytes: usize,
    credentials: Option<CallCredentials>,
}

impl Connection {
    pub(crate) async fn greet(wire: Wire, options: &Options) -> Result<Self, Status> {
        let authority = Authority::try_from(&options.authority[..]).map_err(|error| {
            let text = format!("the authority {:?}: {error}", options.authority);
            Status::new(Code::InvalidArgument, text).before_running()
        })?;
        if let Some(credentials) = &options.credentials {
            credentials.suit(wire.peer())?;
        }
        Ok(Self {
            shared: Arc::new(Shared {
                credentials: options.credentials.clone(),
                sender: rpc_http::connect(wire, &options.limits).await?,
                room: Arc::new(Semaphore::new(options.max_calls)),
                authority,
                encoding: options.encoding,
                max_message_bytes: options.max_message_bytes,
            }),
        })
    }
}

impl Shared {
    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Status> {
        let Call {
            method,
            context,
            body,
        } = call;
        let limit = self.limit(method);
        let link = Link::default();
        let caller = Caller(Arc::clone(&link));
        let body = match body {
            Body::One(payload) => {
                let message = framing::frame(&payload, self.encoding, limit);
                Outgoing::one(message.map_err(Status::before_running)?)
            }
            Body::Many(items) => Outgoing::many(items, self.encoding, limit, Arc::clone(&link)),
        };
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| Status::bare(Code::Unavailable).before_running())?;
        let mut request = self.request(method, body)?;
        if let Some(credentials) = &self.credentials {
            let granted = credentials.of(method).await?;
            metadata::write(&granted, request.headers_mut())?;
        }
        metadata::outbound(&context, request.headers_mut())?;
        let answered = self.sender.clone().try_send_request(request);
        let told = Arc::clone(&link);
        let work = async move {
            let response = answered
                .await
                .map_err(|mut unsent| match unsent.take_message() {
                    Some(_) => {
                        Status::new(Code::Unavailable, "the connection is gone").before_running()
                    }
                    None => told.failure_or(status::of_error(unsent.error())),
                })?;
            let outcome = replies::read(method, response, limit, (room, caller)).await;
            outcome.map_err(|status| told.failure_or(status))
        };
        match method.kind {
            MethodKind::Bidirectional => late::reply(work, &link).await,
            _ => work.await,
        }
    }

    fn request(
        &self,
        method: &MethodDescriptor,
        body: Outgoing,
    ) -> Result<Request<Outgoing>, Status> {
        let path = format!("/{}/{}", method.service, method.name);
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(path)
            .build();
        let uri = uri.map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.reserve(8);
        headers.insert("te", HeaderValue::from_static("trailers"));
        let grpc = HeaderValue::from_static("application/grpc");
        headers.insert("content-type", grpc);
        let agent = concat!("rpc-grpc/", env!("CARGO_PKG_VERSION"));
        headers.insert("user-agent", HeaderValue::from_static(agent));
        self.encoding.tell(headers);
        Encoding::tell_accepted(headers);
        Ok(request)
    }

    fn limit(&self, method: &MethodDescriptor) -> usize {
        let own = method
            .max_message_bytes
            .map_or(usize::MAX, |bytes| bytes as usize);
        own.min(self.max_message_bytes)
    }
}

impl Channel for Connection {
    fn call(&self, call: Call) -> CallFuture {
        let deadline = call.context.expires();
        let work = Arc::clone(&self.shared).call(call);
        match deadline {
            Some(deadline) => Box::pin(Patient::new(Box::pin(work), deadline)),
            None => Box::pin(work),
        }
    }
}

impl Connected for Connection {
    fn is_usable(&self) -> bool {
        !self.shared.sender.is_closed()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("authority", &self.shared.authority)
            .finish_non_exhaustive()
    }
}
