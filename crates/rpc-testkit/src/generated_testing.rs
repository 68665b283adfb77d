//! gRPC's own test service as tonic generates it from the `.proto` that the contract emits.

#![allow(missing_docs, unreachable_pub, clippy::all)]

tonic::include_proto!("grpc.testing");

/// The encoded `FileDescriptorSet` that it was generated from.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/testing.bin"));
