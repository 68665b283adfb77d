//! Messages of strangers in both codecs: what is read is written and read again as the same, and a
//! value that JSON took is the one that protobuf takes.
#![cfg_attr(feature = "libfuzzer", no_main)]

use bytes::BytesMut;
use prost::Message;
use rpc_core::{Codec, Json, Payload, Protobuf};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One field of each shape that decoders treat differently, and itself.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
struct Tree {
    #[prost(string, tag = 1)]
    name: String,
    #[prost(int64, tag = 2)]
    number: i64,
    #[prost(bytes = "vec", tag = 3)]
    raw: Vec<u8>,
    #[prost(message, repeated, tag = 4)]
    branches: Vec<Tree>,
    #[prost(btree_map = "string, sint32", tag = 5)]
    marks: BTreeMap<String, i32>,
    #[prost(uint32, optional, tag = 6)]
    maybe: Option<u32>,
    #[prost(bool, repeated, tag = 7)]
    flags: Vec<bool>,
}

ipc_fuzz::target!(check);

fn check(data: &[u8]) {
    for codec in [&Json as &'static dyn Codec, &Protobuf] {
        let bytes = bytes::Bytes::copy_from_slice(data);
        let Ok(tree) = Payload::Encoded(codec, bytes).take::<Tree>() else {
            continue;
        };
        for other in [&Json as &'static dyn Codec, &Protobuf] {
            let mut written = BytesMut::new();
            let payload = Payload::of(tree.clone());
            payload.append(other, &mut written).expect("it can be said");
            let again = Payload::Encoded(other, written.freeze()).take::<Tree>();
            assert_eq!(again.as_ref(), Ok(&tree), "through {}", other.name());
        }
    }
}
