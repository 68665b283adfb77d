//! The layer that the compressed cases ask of a server: it compares what came with what the
//! request says of it, and compresses those answers alone for which the request asks.

use futures_util::StreamExt;
use prost::Message;
use prost::bytes::BytesMut;
use rpc_core::{Body, Call, CallFuture, Channel, Code, Payload, Protobuf, Reply, Status, ready};
use rpc_grpc::{came_compressed, uncompressed};
use rpc_testkit::interop::{BoolValue, ResponseParameters, StreamingInputCallRequest};

/// The layer.
#[derive(Clone, Debug)]
pub(crate) struct Compression<C>(pub(crate) C);

/// What the request of `UnaryCall` says of compression.
#[derive(Clone, PartialEq, Message)]
struct Unary {
    #[prost(message, optional, tag = 6)]
    response_compressed: Option<BoolValue>,
    #[prost(message, optional, tag = 8)]
    expect_compressed: Option<BoolValue>,
}

/// What the request of `StreamingOutputCall` says of it.
#[derive(Clone, PartialEq, Message)]
struct Output {
    #[prost(message, repeated, tag = 2)]
    response_parameters: Vec<ResponseParameters>,
}

impl<C: Channel> Channel for Compression<C> {
    fn call(&self, call: Call) -> CallFuture {
        let (call, may) = match inspect(call) {
            Ok(inspected) => inspected,
            Err(status) => return ready(Err(status)),
        };
        let work = self.0.call(call);
        Box::pin(async move { restrain(work.await?, may) })
    }
}

/// The call, and which of its answers are to be compressed.
fn inspect(mut call: Call) -> Result<(Call, Vec<bool>), Status> {
    let mut may = Vec::new();
    call.body = match (call.method.name, call.body) {
        ("UnaryCall", Body::One(payload)) => {
            let said: Unary = read(&payload)?;
            check(&payload, said.expect_compressed)?;
            may.push(said.response_compressed.is_some_and(|said| said.value));
            Body::One(payload)
        }
        ("StreamingOutputCall", Body::One(payload)) => {
            let said: Output = read(&payload)?;
            let wanted = said.response_parameters.iter();
            may.extend(wanted.map(|one| one.compressed.as_ref().is_some_and(|said| said.value)));
            Body::One(payload)
        }
        ("StreamingInputCall", Body::Many(items)) => {
            let items = items.map(|item| {
                let payload = item?;
                let said: StreamingInputCallRequest = read(&payload)?;
                check(&payload, said.expect_compressed)?;
                Ok(payload)
            });
            Body::Many(Box::pin(items))
        }
        (_, body) => body,
    };
    Ok((call, may))
}

fn restrain(mut reply: Reply, may: Vec<bool>) -> Result<Reply, Status> {
    let allow = move |index: usize, payload: Payload| match may.get(index) {
        Some(true) => Ok(payload),
        _ => uncompressed(&payload),
    };
    reply.body = match reply.body {
        Body::One(payload) => Body::One(allow(0, payload)?),
        Body::Many(items) => {
            let items = items.enumerate();
            let items = items.map(move |(index, item)| allow(index, item?));
            Body::Many(Box::pin(items))
        }
    };
    Ok(reply)
}

fn read<T: Message + Default>(payload: &Payload) -> Result<T, Status> {
    let mut bytes = BytesMut::new();
    payload.append(&Protobuf, &mut bytes)?;
    T::decode(bytes).map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
}

fn check(payload: &Payload, said: Option<BoolValue>) -> Result<(), Status> {
    let came = came_compressed(payload);
    match said {
        Some(said) if said.value != came => {
            let text = format!("compressed: {came}, and the message says {}", said.value);
            Err(Status::new(Code::InvalidArgument, text))
        }
        _ => Ok(()),
    }
}
