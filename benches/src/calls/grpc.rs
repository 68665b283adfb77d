//! Our calls by gRPC: the same service, its client and server on tokio.

use std::{io, sync::Arc};

use rpc_grpc::{Limits, Options};

use super::{
    AsyncClient, Kit, Serving, Socket, calls_only,
    echoes::{Stubs, served},
    ours::{LARGE, MAX_CALLS, PATIENCE, failed},
};
use crate::{family::Endpoint, results::MakerKind, scenario::Shape};

/// The crate `rpc-grpc`.
#[derive(Debug)]
pub struct Grpc;

impl Kit for Grpc {
    const NAME: &'static str = "rpc-grpc";
    const KIND: MakerKind = MakerKind::Ours;

    fn fits(shape: &Shape) -> Result<(), String> {
        calls_only(shape)
    }

    fn client(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let options = options(shape);
        AsyncClient::connect(sockets, |socket| async {
            let wire = socket.into_wire()?;
            options.over(wire).await.map(Stubs::new).map_err(failed)
        })
    }

    fn server(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let options = Arc::new(options(shape));
        Serving::run(move |tally| async move {
            let mut sessions = tokio::task::JoinSet::new();
            for socket in sockets {
                let wire = socket.into_wire()?;
                let (options, served) = (Arc::clone(&options), served(&tally));
                sessions.spawn(async move { options.serve(wire, served).await });
            }
            while let Some(ended) = sessions.join_next().await {
                ended.map_err(io::Error::other)?.map_err(failed)?;
            }
            Ok(())
        })
    }
}

/// Messages of the sweep are larger than the default limit.
pub(super) fn options(shape: &Shape) -> Options {
    let mut limits = Limits::new();
    limits.max_streams(MAX_CALLS).greeting_timeout(PATIENCE);
    let mut options = Options::new();
    options
        .limits(limits)
        .max_calls(MAX_CALLS)
        .request_timeout(PATIENCE)
        .connect_timeout(PATIENCE);
    if shape.size as u32 >= LARGE {
        options.max_message_bytes(64 << 20);
    }
    options
}
