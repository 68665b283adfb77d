#![doc = include_str!("../README.md")]

mod call;
mod codec;
mod context;
mod contract;
mod describe;
mod descriptor;
mod direct;
mod executor;
mod fields;
mod identity;
pub mod introspect;
pub mod layers;
mod metadata;
mod parsed;
mod pieces;
mod proto;
mod server;
pub mod skeleton;
mod status;
mod streaming;
pub mod stub;
mod timer;
mod tower;
mod trace;
mod wire;

pub use crate::{
    call::{Body, Call, CallFuture, Channel, Dispatch, PayloadStream, Reply, innermost, ready},
    codec::{Codec, Json, Protobuf},
    context::Context,
    contract::{Comparison, Contract},
    describe::{
        Describe, DescribeOneof, FieldDesc, FieldKind, Fields, Label, Scalar, Shape, TypeDesc,
        TypeSet, Values,
    },
    descriptor::{Idempotency, MethodDescriptor, MethodKind, Owner, ServiceDescriptor, method_id},
    direct::{Arriving, Came, DirectCall, DirectRequest},
    executor::block_on,
    identity::{Peer, Principal},
    metadata::{Later, Metadata},
    pieces::Pieces,
    server::{Binding, Router, Served, Server},
    status::{Code, Detail, Status},
    streaming::{Out, Streaming, items, next},
    tower::{FromTower, Tower},
    trace::TraceContext,
    wire::{Message, Payload, Wire},
};
pub use rpc_macros::{Describe, service};

/// What generated code names: the exact crates that it was written for.
pub mod export {
    pub use futures_core::Stream;
    pub use prost;
    pub use serde;
}
