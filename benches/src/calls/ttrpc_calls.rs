//! Calls by `ttrpc`, whose requests and responses are filled by hand.

use std::{collections::HashMap, io, sync::Arc};

use futures_util::stream;
use prost::Message;
use ttrpc::{
    Request, Response,
    asynchronous::{
        Client, MethodHandler, Server, Service, TtrpcContext,
        transport::{Listener, Socket as Transport},
    },
};

use super::{
    AsyncClient, Caller, Kit, Serving, Socket, Tally, calls_without_streams,
    tarpc_calls::{tokio_tcp, tokio_unix},
    tonic_calls::Bytes,
};
use crate::{family::Endpoint, results::MakerKind, scenario::Shape};

const SERVICE: &str = "bench.v1.Echo";
const METHOD: &str = "Echo";
/// What the crate takes at most, less room for the envelope.
const LARGEST: usize = (4 << 20) - 1024;

/// The crate `ttrpc`.
#[derive(Debug)]
pub struct Ttrpc;

impl Kit for Ttrpc {
    const NAME: &'static str = "ttrpc";
    const KIND: MakerKind = MakerKind::Peer;

    fn fits(shape: &Shape) -> Result<(), String> {
        if shape.size > LARGEST {
            return Err("its messages have 4 MiB at most".to_owned());
        }
        calls_without_streams(shape)
    }

    fn client(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        AsyncClient::connect(sockets, |socket| async {
            Ok(Client::new(transport(socket)?))
        })
    }

    fn server(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Serving::run(move |tally| async move {
            let transports = sockets.into_iter().map(transport);
            let transports: Vec<_> = transports.collect::<io::Result<_>>()?;
            let handler: Box<dyn MethodHandler + Send + Sync> = Box::new(Counted(tally));
            let service = Service {
                methods: HashMap::from([(METHOD.to_owned(), handler)]),
                streams: HashMap::new(),
            };
            // It goes on to listen where nobody else will come.
            let incoming = stream::StreamExt::chain(
                stream::iter(transports.into_iter().map(Ok)),
                stream::pending(),
            );
            let mut server = Server::new()
                .add_listener(Listener::new(incoming))
                .register_service(HashMap::from([(SERVICE.to_owned(), service)]));
            server.start().await.map_err(io::Error::other)?;
            std::future::pending().await
        })
    }
}

fn transport(socket: Socket) -> io::Result<Transport> {
    Ok(match socket {
        Socket::Unix(socket) => Transport::new(tokio_unix(socket)?),
        Socket::Tcp(socket) => Transport::new(tokio_tcp(socket)?),
        _ => return Err(Socket::unfit()),
    })
}

struct Counted(Arc<Tally>);

#[async_trait::async_trait]
impl MethodHandler for Counted {
    async fn handler(&self, _: TtrpcContext, request: Request) -> ttrpc::Result<Response> {
        let decoded = Bytes::decode(&request.payload[..]);
        let message = decoded.map_err(|error| ttrpc::Error::Others(error.to_string()))?;
        self.0.count();
        let mut response = Response::new();
        response.set_status(ttrpc::get_status(ttrpc::Code::OK, String::new()));
        response.payload = message.encode_to_vec();
        Ok(response)
    }
}

impl Caller for Client {
    async fn call(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut request = Request::new();
        request.set_service(SERVICE.to_owned());
        request.set_method(METHOD.to_owned());
        request.payload = Bytes { bytes: message }.encode_to_vec();
        let response = self.request(request).await.map_err(io::Error::other)?;
        let decoded = Bytes::decode(&response.payload[..]).map_err(io::Error::other)?;
        Ok(decoded.bytes)
    }
}
