//! gRPC requests of one connection as an HTTP service: from a path and a body to a call and back.

use crate::answer::Answer;
use crate::compression::Encoding;
use crate::framing::{self, Cutter, Pieces};
use crate::messages::{BoxError, Items, Messages};
use crate::metadata;
use crate::options::Options;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body as HttpBody;
use hyper::service::Service;
use rpc_core::{
    Body, Call, Channel, Code, Context, MethodDescriptor, MethodKind, Payload, Peer, Protobuf,
    Reply, Served, Status, stub,
};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The calls of one connection, as a service that serves HTTP requests. [`Serving`](crate::Serving)
/// makes one for each connection; where several protocols share a port, make it yourself and hand
/// it the requests that it [claims](GrpcService::claims).
#[derive(Clone, Debug)]
pub struct GrpcService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    served: Served,
    peer: Peer,
    max_message_bytes: usize,
    encoding: Encoding,
    request_timeout: Duration,
    max_oneways: usize,
    /// What runs though its caller has its answer. It ends with the connection.
    oneways: Mutex<JoinSet<()>>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

impl GrpcService {
    /// Serves `served` to `peer`, which the transport names.
    #[must_use]
    pub fn new(served: Served, options: &Options, peer: Peer) -> Self {
        Self {
            shared: Arc::new(Shared {
                served,
                peer,
                max_message_bytes: options.max_message_bytes,
                encoding: options.encoding,
                request_timeout: options.request_timeout,
                max_oneways: options.max_oneways,
                oneways: Mutex::default(),
            }),
        }
    }

    /// Whether this is a gRPC request.
    #[must_use]
    pub fn claims<B>(request: &Request<B>) -> bool {
        let content = request.headers().get("content-type");
        content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc"))
    }

    pub(crate) async fn answer<B>(self, request: Request<B>) -> Response<Answer>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        if let Some(code) = no_call(&parts) {
            return Answer::refused(code);
        }
        match self.call(&parts, body).await {
            Ok(response) => response,
            Err(status) => {
                let mut response = Answer::failed(&status);
                if status.code() == Code::Unimplemented {
                    Encoding::tell_accepted(response.headers_mut());
                }
                response
            }
        }
    }

    async fn call<B>(self, parts: &Parts, body: B) -> Result<Response<Answer>, Status>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let shared = &*self.shared;
        let method = method(&shared.served, parts.uri.path()).map_err(Status::before_running)?;
        let context = metadata::inbound(&parts.headers, &shared.peer);
        let context = context.map_err(Status::before_running)?;
        context.check().map_err(Status::before_running)?;
        let encoding = Encoding::of_messages(&parts.headers).map_err(Status::before_running)?;
        let limit = shared.limit(method);
        let mut messages = Messages::new(body, Cutter::new(encoding, limit, BytesMut::new()));
        let body = if method.kind.client_streams() {
            Body::Many(Box::pin(Items(messages)))
        } else {
            let message = shared.within(&context, messages.only()).await;
            let message = message.map_err(Status::before_running)?;
            Body::One(message)
        };
        let encoding = shared.encoding.where_accepted(&parts.headers);
        let deadline = context.expires();
        let call = Call {
            method,
            context,
            body,
        };
        if method.kind == MethodKind::Oneway {
            self.begin(call);
            let nothing = Payload::Encoded(&Protobuf, Bytes::new());
            let nothing = framing::frame(&nothing, Encoding::Identity, 0)?;
            return Ok(Answer::one(nothing, HeaderMap::new()));
        }
        let Reply { metadata, body } = shared.served.call(call).await?;
        let mut trailers = HeaderMap::new();
        metadata::write_place(&metadata, true, &mut trailers)?;
        let mut response = match body {
            Body::One(payload) => Answer::one(framing::frame(&payload, encoding, limit)?, trailers),
            Body::Many(items) => {
                let pieces = Pieces::new(encoding, limit);
                Answer::many(items, pieces, (trailers, metadata.clone()), deadline)
            }
        };
        encoding.tell(response.headers_mut());
        metadata::write_place(&metadata, false, response.headers_mut())?;
        Ok(response)
    }

    /// Runs a oneway call, whose caller hears nothing of it.
    fn begin(&self, mut call: Call) {
        let shared = &*self.shared;
        let mut running = shared
            .oneways
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        if running.len() >= shared.max_oneways {
            tracing::debug!(
                method = call.method.name,
                "a oneway call was dropped: too many run"
            );
            return;
        }
        if call.context.expires().is_none() {
            call.context
                .set_deadline(Instant::now() + stub::DEFAULT_DEADLINE);
        }
        let work = shared.served.call(call);
        running.spawn(async move {
            let _ = work.await;
        });
    }
}

impl Shared {
    fn limit(&self, method: &MethodDescriptor) -> usize {
        let own = method
            .max_message_bytes
            .map_or(usize::MAX, |bytes| bytes as usize);
        own.min(self.max_message_bytes)
    }

    /// `work`, within the call's deadline, or else the time that one message may take to come.
    async fn within<T>(
        &self,
        context: &Context,
        work: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let latest = Instant::now() + self.request_timeout;
        let deadline = context
            .expires()
            .map_or(latest, |deadline| deadline.min(latest));
        match tokio::time::timeout_at(deadline.into(), work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Status::bare(Code::DeadlineExceeded)),
        }
    }
}

/// What HTTP says to a request that is no gRPC call.
fn no_call(parts: &Parts) -> Option<StatusCode> {
    if parts.method != Method::POST {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    let content = parts.headers.get("content-type");
    let rest = content.and_then(|content| content.as_bytes().strip_prefix(b"application/grpc"));
    let ours = rest.is_some_and(|rest| {
        matches!(rest, b"" | b"+proto" | [b';', ..]) || rest.starts_with(b"+proto;")
    });
    if !ours {
        return Some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    (parts.version != Version::HTTP_2).then_some(StatusCode::HTTP_VERSION_NOT_SUPPORTED)
}

fn method(served: &Served, path: &str) -> Result<&'static MethodDescriptor, Status> {
    let unknown = || Status::new(Code::Unimplemented, format!("no method {path} here"));
    let (service, name) = path
        .strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .ok_or_else(unknown)?;
    let service = served.find(service).ok_or_else(unknown)?;
    let mut methods = service.methods().iter();
    methods
        .find(|method| method.name == name)
        .ok_or_else(unknown)
}

impl<B> Service<Request<B>> for GrpcService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + std::fmt::Display,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Answering {
        #[cfg(feature = "web")]
        if crate::web::claims(&request) {
            let answer = crate::web::answer(self.clone(), request);
            return Box::pin(async move { Ok(answer.await) });
        }
        let answer = self.clone().answer(request);
        Box::pin(async move { Ok(answer.await) })
    }
}
