//! The client: many calls over one connection.

use crate::compression::Encoding;
use crate::framing::{self, Cutter};
use crate::messages::Messages;
use crate::options::Options;
use crate::outgoing::{Failed, Outgoing};
use crate::{metadata, status};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use rpc_core::{
    Body, Call, CallFuture, Channel, Code, MethodDescriptor, MethodKind, Payload, Protobuf, Reply,
    Status,
};
use rpc_transport::{Connected, Wire};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
}

impl Connection {
    pub(crate) async fn greet(wire: Wire, options: &Options) -> Result<Self, Status> {
        let authority = Authority::try_from(&options.authority[..]).map_err(|error| {
            let text = format!("the authority {:?}: {error}", options.authority);
            Status::new(Code::InvalidArgument, text).before_running()
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
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
        let failed = Failed::default();
        let body = match body {
            Body::One(payload) => {
                let message = framing::frame(&payload, self.encoding, limit);
                Outgoing::one(message.map_err(Status::before_running)?)
            }
            Body::Many(items) => Outgoing::many(items, self.encoding, limit, Arc::clone(&failed)),
        };
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| Status::bare(Code::Unavailable).before_running())?;
        let mut request = self.request(method, body)?;
        metadata::outbound(&context, request.headers_mut())?;
        let answered = self.sender.clone().try_send_request(request).await;
        let response = answered.map_err(|mut unsent| match unsent.take_message() {
            Some(_) => Status::new(Code::Unavailable, "the connection is gone").before_running(),
            None => failed.or(status::of_error(unsent.error())),
        })?;
        let outcome = self.read(method, response, room).await;
        outcome.map_err(|status| failed.or(status))
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

    async fn read(
        &self,
        method: &MethodDescriptor,
        response: Response<Incoming>,
        room: OwnedSemaphorePermit,
    ) -> Result<Reply, Status> {
        let (parts, body) = response.into_parts();
        if parts.status != StatusCode::OK {
            // A proxy may say it in both languages: gRPC's own word is the better one.
            let own = status::read(&parts.headers).and_then(Result::err);
            return Err(own.unwrap_or_else(|| status::of_http(parts.status)));
        }
        if let Some(Err(status)) = status::read(&parts.headers) {
            return Err(status);
        }
        let content = parts.headers.get("content-type");
        if !content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc")) {
            let text = format!("the server answered {content:?}, not gRPC");
            return Err(Status::new(Code::Unknown, text));
        }
        let encoding = Encoding::of_messages(&parts.headers);
        let encoding = encoding.map_err(|status| internal(&status))?;
        let cutter = Cutter::new(encoding, self.limit(method), BytesMut::new());
        let mut messages = Messages::new(body, cutter);
        let metadata = metadata::read(&parts.headers)?;
        let head_only = parts.headers.contains_key("grpc-status");
        if method.kind.server_streams() {
            let answers = Answers {
                messages,
                head_only,
                room: Some(room),
            };
            let body = Body::Many(Box::pin(answers));
            return Ok(Reply { metadata, body });
        }
        let message = only(method, &mut messages, head_only).await?;
        let body = Body::One(Payload::Encoded(&Protobuf, message));
        Ok(Reply { metadata, body })
    }

    fn limit(&self, method: &MethodDescriptor) -> usize {
        let own = method
            .max_message_bytes
            .map_or(usize::MAX, |bytes| bytes as usize);
        own.min(self.max_message_bytes)
    }
}

/// The one answer, and success after it.
async fn only(
    method: &MethodDescriptor,
    messages: &mut Messages<Incoming>,
    head_only: bool,
) -> Result<Bytes, Status> {
    let first = messages.message().await?;
    let second = match first {
        Some(_) => messages.message().await?,
        None => None,
    };
    let ended = match head_only {
        true => Ok(()),
        false => ended(messages.trailers()),
    };
    match (first, second, ended) {
        (_, _, Err(status)) if method.kind != MethodKind::Oneway => Err(status),
        (Some(message), None, Ok(())) => Ok(message),
        // Its caller hears nothing of it, whatever the server says.
        _ if method.kind == MethodKind::Oneway => Ok(Bytes::new()),
        (None, ..) => Err(Status::new(Code::Unimplemented, "success, and no message")),
        _ => Err(Status::new(
            Code::Unimplemented,
            "more than one message where one belongs",
        )),
    }
}

/// How the call ended, by what came after the messages.
fn ended(trailers: Option<&HeaderMap>) -> Result<(), Status> {
    trailers.and_then(status::read).unwrap_or_else(|| {
        Err(Status::new(
            Code::Unknown,
            "the server did not say how it ended",
        ))
    })
}

fn internal(status: &Status) -> Status {
    Status::new(Code::Internal, status.message().to_owned())
}

/// The items of a stream of answers.
struct Answers {
    messages: Messages<Incoming>,
    head_only: bool,
    room: Option<OwnedSemaphorePermit>,
}

impl Stream for Answers {
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        if self.room.is_none() {
            return Poll::Ready(None);
        }
        let next = match ready!(self.messages.poll_message(task)) {
            Ok(Some(message)) => Some(Ok(Payload::Encoded(&Protobuf, message))),
            Ok(None) if self.head_only => None,
            Ok(None) => ended(self.messages.trailers()).err().map(Err),
            Err(status) => Some(Err(status)),
        };
        if !matches!(next, Some(Ok(_))) {
            self.room = None;
        }
        Poll::Ready(next)
    }
}

impl Channel for Connection {
    fn call(&self, call: Call) -> CallFuture {
        Box::pin(Arc::clone(&self.shared).call(call))
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
