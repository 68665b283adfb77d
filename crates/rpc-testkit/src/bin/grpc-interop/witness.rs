//! The server's own loop, which looks at the bytes of each answer on their way out and says in a
//! trailer which messages have gone compressed: clients of other stacks do not show it.

use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use prost::bytes::Bytes;
use rpc_core::{Binding, MethodDescriptor, Served, Status};
use rpc_grpc::{Answer, GrpcService, Limits, Options};
use rpc_transport::{Acceptor, Listener, Seats, Stopper};
use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use tonic::codegen::http::HeaderValue;

/// The trailer: a digit for each message, 1 for compressed.
const TRAILER: &str = "x-sent-compressed";
/// Of so many messages at most.
const MAX_MESSAGES: usize = 16;

/// The loop.
pub(crate) struct Witness {
    acceptor: Acceptor,
    options: Options,
}

impl Witness {
    pub(crate) fn new(listener: Listener, options: Options) -> Self {
        Self {
            acceptor: Acceptor::new(listener, Seats::new(1_024, 1_024)),
            options,
        }
    }

    pub(crate) fn stopper(&self) -> Stopper {
        self.acceptor.stopper()
    }

    async fn run(self, served: Served) -> Result<(), Status> {
        let Self { acceptor, options } = self;
        let serve = |wire: rpc_transport::Wire, stopped| {
            let (served, options, limits) = (served.clone(), options.clone(), Limits::new());
            async move {
                if let Ok(wire) = wire.proven(limits.greeting()).await {
                    let service = GrpcService::new(served, &options, wire.peer().clone());
                    let _ = rpc_http::serve(wire, &limits, Looking(service), stopped).await;
                }
            }
        };
        acceptor.run(serve).await.map_err(Status::from)
    }
}

impl Binding for Witness {
    fn serve(
        self: Box<Self>,
        served: Served,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>> {
        Box::pin(self.run(served))
    }

    fn carries(&self, _method: &MethodDescriptor) -> Result<(), Status> {
        Ok(())
    }
}

/// The service of one connection.
struct Looking(GrpcService);

type Body = UnsyncBoxBody<Bytes, Box<dyn StdError + Send + Sync>>;

impl Service<Request<Incoming>> for Looking {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let work = self.0.call(request);
        Box::pin(async move { Ok(work.await?.map(look)) })
    }
}

fn look(body: Answer) -> Body {
    let mut seen = Flags::default();
    let body = body.map_frame(move |mut frame| {
        if let Some(data) = frame.data_ref() {
            seen.read(data);
        }
        if let Some(trailers) = frame.trailers_mut()
            && let Ok(flags) = HeaderValue::try_from(&seen.flags)
        {
            trailers.insert(TRAILER, flags);
        }
        frame
    });
    body.boxed_unsync()
}

/// The flags of messages in a stream of bytes.
#[derive(Default)]
struct Flags {
    flags: String,
    header: Vec<u8>,
    /// Bytes of the message that are still to come.
    left: usize,
}

impl Flags {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.left.min(bytes.len());
            self.left -= taken;
            bytes = &bytes[taken..];
            let [byte, rest @ ..] = bytes else {
                return;
            };
            bytes = rest;
            self.header.push(*byte);
            if let [flag, length @ ..] = &self.header[..]
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                if self.flags.len() < MAX_MESSAGES {
                    self.flags.push(if *flag == 0 { '0' } else { '1' });
                }
                self.left = u32::from_be_bytes(length) as usize;
                self.header.clear();
            }
        }
    }
}
