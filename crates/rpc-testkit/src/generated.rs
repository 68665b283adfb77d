//! The inventory as tonic generates it from its `.proto`, and the shop behind it.

#![allow(missing_docs, unreachable_pub, clippy::all)]

// The generator writes answers that are numbers as types of this module.
pub use std::primitive::{u32, u64};

tonic::include_proto!("inventory.v1");

/// The encoded `FileDescriptorSet` that it was generated from.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/inventory.bin"));
