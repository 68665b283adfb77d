//! Calls by `tarpc`: its macro, its serde transport with lengths before messages, postcard.

use std::{future, io, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tarpc::{
    ClientMessage, Response, client, context, serde_transport,
    server::{BaseChannel, Channel},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::{AsyncClient, Caller, Kit, Serving, Socket, Tally, calls_without_streams};
use crate::{family::Endpoint, results::MakerKind, scenario::Shape};

/// Larger than the largest message of the sweep.
const MAX_FRAME_BYTES: usize = 64 << 20;

mod contract {
    use serde_bytes::ByteBuf;

    #[tarpc::service]
    pub trait Echo {
        /// What it is given.
        async fn echo(bytes: ByteBuf) -> ByteBuf;
    }
}

use contract::{Echo, EchoClient, EchoRequest, EchoResponse};

/// The crate `tarpc`.
#[derive(Debug)]
pub struct Tarpc;

impl Kit for Tarpc {
    const NAME: &'static str = "tarpc";
    const KIND: MakerKind = MakerKind::Peer;

    fn fits(shape: &Shape) -> Result<(), String> {
        calls_without_streams(shape)
    }

    fn client(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        AsyncClient::connect(sockets, |socket| async {
            Ok(match socket {
                Socket::Unix(socket) => over(tokio_unix(socket)?),
                Socket::Tcp(socket) => over(tokio_tcp(socket)?),
                Socket::Tls(secured) => over(secured.tokio().await?),
                Socket::Pipe(..) | Socket::Ring(_) => return Err(Socket::unfit()),
            })
        })
    }

    fn server(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Serving::run(move |tally| async move {
            let mut sessions = tokio::task::JoinSet::new();
            for socket in sockets {
                let counted = Counted(Arc::clone(&tally));
                match socket {
                    Socket::Unix(socket) => sessions.spawn(serve(tokio_unix(socket)?, counted)),
                    Socket::Tcp(socket) => sessions.spawn(serve(tokio_tcp(socket)?, counted)),
                    Socket::Tls(secured) => sessions.spawn(async {
                        if let Ok(stream) = secured.tokio().await {
                            serve(stream, counted).await;
                        }
                    }),
                    Socket::Pipe(..) | Socket::Ring(_) => return Err(Socket::unfit()),
                };
            }
            sessions.join_all().await;
            Ok(())
        })
    }
}

pub(super) fn tokio_unix(
    socket: std::os::unix::net::UnixStream,
) -> io::Result<tokio::net::UnixStream> {
    socket.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(socket)
}

pub(super) fn tokio_tcp(socket: std::net::TcpStream) -> io::Result<tokio::net::TcpStream> {
    socket.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(socket)
}

fn framed<S: AsyncRead + AsyncWrite>(stream: S) -> Framed<S, LengthDelimitedCodec> {
    let mut codec = LengthDelimitedCodec::new();
    codec.set_max_frame_length(MAX_FRAME_BYTES);
    Framed::new(stream, codec)
}

fn over<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> EchoClient {
    let transport =
        serde_transport::new::<_, Response<EchoResponse>, _, _>(framed(stream), Postcard);
    EchoClient::new(client::Config::default(), transport).spawn()
}

async fn serve<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S, counted: Counted) {
    let transport =
        serde_transport::new::<_, ClientMessage<EchoRequest>, _, _>(framed(stream), Postcard);
    BaseChannel::with_defaults(transport)
        .execute(counted.serve())
        .for_each(|call| {
            tokio::spawn(call);
            future::ready(())
        })
        .await;
}

#[derive(Clone)]
struct Counted(Arc<Tally>);

impl Echo for Counted {
    async fn echo(self, _: context::Context, bytes: ByteBuf) -> ByteBuf {
        self.0.count();
        bytes
    }
}

impl Caller for EchoClient {
    async fn call(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let answer = self.echo(context::current(), ByteBuf::from(message)).await;
        answer.map(ByteBuf::into_vec).map_err(io::Error::other)
    }
}

/// A compact format of serde; `bincode`, which tarpc knows too, is no longer kept.
struct Postcard;

impl<T: Serialize> tokio_serde::Serializer<T> for Postcard {
    type Error = io::Error;

    fn serialize(self: Pin<&mut Self>, item: &T) -> io::Result<Bytes> {
        let bytes = postcard::to_allocvec(item).map_err(io::Error::other)?;
        Ok(bytes.into())
    }
}

impl<T: for<'a> Deserialize<'a>> tokio_serde::Deserializer<T> for Postcard {
    type Error = io::Error;

    fn deserialize(self: Pin<&mut Self>, bytes: &BytesMut) -> io::Result<T> {
        postcard::from_bytes(bytes).map_err(io::Error::other)
    }
}
