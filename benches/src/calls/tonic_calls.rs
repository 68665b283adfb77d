//! Calls by `tonic`, without generated code: its client and server with the codec of prost.

use std::{
    convert::Infallible,
    future, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client,
    codegen::{BoxFuture, BoxStream, Service, http},
    server::{
        self, ClientStreamingService, ServerStreamingService, StreamingService, UnaryService,
    },
    transport::{Channel, Endpoint as Target, Server, server::Connected},
};
use tonic_prost::ProstCodec;

use super::{
    AsyncClient, Caller, Kit, Serving, Socket, Tally, calls_only,
    client::Messages,
    tarpc_calls::{tokio_tcp, tokio_unix},
};
use crate::{family::Endpoint, results::MakerKind, scenario::Shape};

/// Larger than the largest message of the sweep; the default is 4 MiB.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

const ECHO: &str = "/bench.v1.Echo/Echo";
const GIVE: &str = "/bench.v1.Echo/Give";
const TAKE: &str = "/bench.v1.Echo/Take";
const RELAY: &str = "/bench.v1.Echo/Relay";

/// A message of bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Bytes {
    /// The bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) bytes: Vec<u8>,
}

/// A message of one number.
#[derive(Clone, PartialEq, prost::Message)]
struct Count {
    #[prost(uint64, tag = "1")]
    count: u64,
}

/// The crate `tonic`.
#[derive(Debug)]
pub struct Tonic;

impl Kit for Tonic {
    const NAME: &'static str = "tonic";
    const KIND: MakerKind = MakerKind::Peer;

    fn fits(shape: &Shape) -> Result<(), String> {
        calls_only(shape)
    }

    fn client(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        AsyncClient::connect(sockets, |socket| async {
            let target = Target::from_static("http://bench");
            let channel = match socket {
                Socket::Unix(socket) => {
                    let mut once = Some(TokioIo::new(tokio_unix(socket)?));
                    let dial = tower::service_fn(move |_| future::ready(taken(&mut once)));
                    target.connect_with_connector(dial).await
                }
                Socket::Tcp(socket) => {
                    let mut once = Some(TokioIo::new(tokio_tcp(socket)?));
                    let dial = tower::service_fn(move |_| future::ready(taken(&mut once)));
                    target.connect_with_connector(dial).await
                }
                Socket::Tls(secured) => {
                    let mut once = Some(TokioIo::new(secured.tokio().await?));
                    let dial = tower::service_fn(move |_| future::ready(taken(&mut once)));
                    target.connect_with_connector(dial).await
                }
                Socket::Pipe(..) | Socket::Ring(_) => return Err(Socket::unfit()),
            };
            channel.map(Stub).map_err(io::Error::other)
        })
    }

    fn server(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Serving::run(move |tally| async move {
            let (mut unix, mut tcp, mut tls) = (Vec::new(), Vec::new(), Vec::new());
            for socket in sockets {
                match socket {
                    Socket::Unix(socket) => unix.push(io::Result::Ok(tokio_unix(socket)?)),
                    Socket::Tcp(socket) => tcp.push(io::Result::Ok(tokio_tcp(socket)?)),
                    // Its clients greet one after the other, too.
                    Socket::Tls(secured) => tls.push(secured.tokio_server().await),
                    Socket::Pipe(..) | Socket::Ring(_) => return Err(Socket::unfit()),
                }
            }
            let counted = Counted(tally);
            match (tcp.is_empty(), tls.is_empty()) {
                (true, true) => serve(counted, unix).await,
                (false, _) => serve(counted, tcp).await,
                _ => serve(counted, tls).await,
            }
        })
    }
}

/// Serves these connections, and waits for more that do not come.
async fn serve<S>(counted: Counted, connections: Vec<io::Result<S>>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let incoming = stream::iter(connections).chain(stream::pending());
    let ended = Server::builder().serve_with_incoming(counted, incoming);
    ended.await.map_err(io::Error::other)
}

/// The connection, which is there once.
fn taken<T>(once: &mut Option<T>) -> io::Result<T> {
    once.take().ok_or(io::ErrorKind::NotConnected.into())
}

#[derive(Clone)]
struct Stub(Channel);

impl Stub {
    async fn ready(&self) -> io::Result<client::Grpc<Channel>> {
        let mut grpc =
            client::Grpc::new(self.0.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        grpc.ready().await.map_err(io::Error::other)?;
        Ok(grpc)
    }
}

fn path(text: &'static str) -> http::uri::PathAndQuery {
    http::uri::PathAndQuery::from_static(text)
}

impl Caller for Stub {
    async fn call(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let codec = ProstCodec::<Bytes, Bytes>::default();
        let request = Request::new(Bytes { bytes: message });
        let answer = self.ready().await?.unary(request, path(ECHO), codec).await;
        Ok(answer.map_err(io::Error::other)?.into_inner().bytes)
    }

    async fn stream(&self, messages: Messages) -> io::Result<()> {
        let codec = ProstCodec::<Bytes, Count>::default();
        let many = stream::iter(messages.clone().map(|bytes| Bytes { bytes }));
        let mut grpc = self.ready().await?;
        let taken = grpc
            .client_streaming(Request::new(many), path(TAKE), codec)
            .await;
        let taken = taken.map_err(io::Error::other)?.into_inner().count;
        match taken == messages.count() as u64 {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn relay(&self, mut messages: Messages) -> io::Result<()> {
        let codec = ProstCodec::<Bytes, Bytes>::default();
        let many = stream::iter(messages.clone().map(|bytes| Bytes { bytes }));
        let mut grpc = self.ready().await?;
        let relayed = grpc.streaming(Request::new(many), path(RELAY), codec).await;
        let mut relayed = relayed.map_err(io::Error::other)?.into_inner();
        while let Some(message) = relayed.message().await.map_err(io::Error::other)? {
            messages.check(&message.bytes)?;
        }
        messages.done()
    }

    async fn receive(&self, mut messages: Messages) -> io::Result<()> {
        let codec = ProstCodec::<Bytes, Bytes>::default();
        let order = Request::new(Bytes {
            bytes: messages.order(),
        });
        let mut grpc = self.ready().await?;
        let given = grpc.server_streaming(order, path(GIVE), codec).await;
        let mut given = given.map_err(io::Error::other)?.into_inner();
        while let Some(message) = given.message().await.map_err(io::Error::other)? {
            messages.check(&message.bytes)?;
        }
        messages.done()
    }
}

/// The server's service, and each of its methods.
#[derive(Clone)]
struct Counted(Arc<Tally>);

impl Service<http::Request<Body>> for Counted {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let counted = self.clone();
        Box::pin(async move {
            let mut echo = server::Grpc::new(ProstCodec::<Bytes, Bytes>::default())
                .max_decoding_message_size(MAX_MESSAGE_BYTES);
            Ok(match request.uri().path() {
                ECHO => echo.unary(counted, request).await,
                GIVE => echo.server_streaming(counted, request).await,
                RELAY => echo.streaming(counted, request).await,
                TAKE => {
                    let codec = ProstCodec::<Count, Bytes>::default();
                    let mut take =
                        server::Grpc::new(codec).max_decoding_message_size(MAX_MESSAGE_BYTES);
                    take.client_streaming(counted, request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

impl UnaryService<Bytes> for Counted {
    type Response = Bytes;
    type Future = future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        self.0.count();
        future::ready(Ok(Response::new(request.into_inner())))
    }
}

impl ServerStreamingService<Bytes> for Counted {
    type Response = Bytes;
    type ResponseStream = BoxStream<Bytes>;
    type Future = future::Ready<Result<Response<BoxStream<Bytes>>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let tally = Arc::clone(&self.0);
        let ordered = Messages::ordered(&request.into_inner().bytes);
        let given = ordered.map(|messages| {
            let counted = stream::iter(messages).map(move |bytes| {
                tally.count();
                Ok(Bytes { bytes })
            });
            Response::new(Box::pin(counted) as Pin<Box<_>>)
        });
        future::ready(given.map_err(|error| Status::invalid_argument(error.to_string())))
    }
}

impl StreamingService<Bytes> for Counted {
    type Response = Bytes;
    type ResponseStream = BoxStream<Bytes>;
    type Future = future::Ready<Result<Response<BoxStream<Bytes>>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let tally = Arc::clone(&self.0);
        let counted = request.into_inner().inspect(move |_| tally.count());
        future::ready(Ok(Response::new(Box::pin(counted))))
    }
}

impl ClientStreamingService<Bytes> for Counted {
    type Response = Count;
    type Future = BoxFuture<Response<Count>, Status>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let tally = Arc::clone(&self.0);
        Box::pin(async move {
            let (mut messages, mut count) = (request.into_inner(), 0);
            while messages.message().await?.is_some() {
                tally.count();
                count += 1;
            }
            Ok(Response::new(Count { count }))
        })
    }
}
