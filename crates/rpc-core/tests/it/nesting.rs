//! Messages nested deeper than any stack: refused by both codecs, on a stack of two megabytes.

use bytes::Bytes;
use prost::Message;
use rpc_core::{Code, Codec, Json, Payload, Protobuf};
use serde::{Deserialize, Serialize};
use std::time::Instant;

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
struct Tree {
    #[prost(string, tag = 1)]
    name: String,
    #[prost(message, repeated, tag = 4)]
    branches: Vec<Tree>,
}

/// A tree in a tree in a tree: lengths are known from the inside out.
fn branches(depth: usize) -> Vec<u8> {
    let varint = |mut number: usize| {
        let mut bytes = Vec::new();
        while number > 127 {
            bytes.push((number & 127) as u8 | 128);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let (mut parts, mut length) = (Vec::new(), 0);
    for _ in 0..depth {
        let prefix = varint(length);
        length += prefix.len() + 1;
        parts.push(prefix);
    }
    let mut bytes = Vec::with_capacity(length);
    for prefix in parts.iter().rev() {
        bytes.push(4 << 3 | 2);
        bytes.extend(prefix);
    }
    bytes
}

/// Groups of a number that nobody knows, each in the one before, and all ended.
fn groups(depth: usize) -> Vec<u8> {
    [vec![9 << 3 | 3; depth], vec![9 << 3 | 4; depth]].concat()
}

fn json(depth: usize, open: &str, close: &str) -> Vec<u8> {
    [open.repeat(depth), close.repeat(depth)]
        .concat()
        .into_bytes()
}

fn refused(what: &str, depth: usize, codec: &'static dyn Codec, bytes: Vec<u8>) {
    let (start, length) = (Instant::now(), bytes.len());
    let tree = Payload::Encoded(codec, Bytes::from(bytes)).take::<Tree>();
    let error = tree.expect_err(what);
    let took = start.elapsed();
    println!("{what}, {depth} deep: {length} bytes refused in {took:.1?}");
    assert_eq!(
        error.code(),
        Code::InvalidArgument,
        "{what}, {depth} deep: {error}"
    );
}

#[test]
fn what_is_nested_too_deep_is_refused_and_overflows_no_stack() {
    let small = std::thread::Builder::new().stack_size(2 << 20);
    let work = || {
        for depth in [100_000, 1_000_000, 10_000_000] {
            refused("branches", depth, &Protobuf, branches(depth));
            refused("groups", depth, &Protobuf, groups(depth));
            refused("lists", depth, &Json, json(depth, "[", "]"));
            refused(
                "objects",
                depth,
                &Json,
                json(depth, r#"{"branches":["#, "]}"),
            );
            refused("open lists", depth, &Json, json(depth, "[", ""));
            let unknown = [br#"{"other":"#, &json(depth, "[", "")[..], b"}"].concat();
            refused("open lists of an unknown name", depth, &Json, unknown);
            let unknown = [br#"{"other":"#, &json(depth, "[", "]")[..], b"}"].concat();
            refused("lists of an unknown name", depth, &Json, unknown);
        }
    };
    small
        .spawn(work)
        .expect("a thread")
        .join()
        .expect("no panic");
}

#[test]
fn what_is_nested_within_reason_is_read() {
    for (codec, bytes) in [
        (&Protobuf as &'static dyn Codec, branches(60)),
        (&Protobuf, groups(60)),
        (
            &Json,
            [json(60, r#"{"branches":["#, ""), json(60, "]}", "")].concat(),
        ),
    ] {
        let tree = Payload::Encoded(codec, Bytes::from(bytes)).take::<Tree>();
        assert!(tree.is_ok(), "{}: {tree:?}", codec.name());
    }
}

#[test]
fn json_is_read_down_to_127_levels_whether_anybody_knows_their_name_or_not() {
    let tree = |bytes: Vec<u8>| Payload::Encoded(&Json, Bytes::from(bytes)).take::<Tree>();
    // The object around them is the first level.
    for (depth, fits) in [(126, true), (127, false)] {
        let unknown = [br#"{"other":"#, &json(depth, "[", "]")[..], b"}"].concat();
        assert_eq!(tree(unknown).is_ok(), fits, "{depth} levels in an object");
    }
    // Brackets in a string open nothing, nor do many beside each other.
    let text = format!(r#"{{"name":"\\\"{}"}}"#, "[{".repeat(1_000));
    assert!(tree(text.into_bytes()).is_ok());
    let beside = format!(r#"{{"other":[{}[]]}}"#, "[],".repeat(1_000));
    assert!(tree(beside.into_bytes()).is_ok());
}
