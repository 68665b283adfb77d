//! Messages nested to any depth, in the shapes that overflow the stack of a careless reader.

use prost::Message;
use rpc_core::{Codec, Json, Protobuf};
use serde::{Deserialize, Serialize};

/// A message of its own kind.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Tree {
    /// What it is called.
    #[prost(string, tag = 1)]
    pub name: String,
    /// Those in it.
    #[prost(message, repeated, tag = 4)]
    pub branches: Vec<Tree>,
}

/// One way to nest.
#[derive(Clone, Copy)]
pub struct Shape {
    /// What is nested.
    pub what: &'static str,
    /// What would read it.
    pub codec: &'static dyn Codec,
    /// A message of this shape, so many levels deep.
    pub make: fn(usize) -> Vec<u8>,
}

/// Every way to nest, each too deep for a [`Tree`] at a hundred thousand levels.
pub const SHAPES: [Shape; 7] = [
    Shape {
        what: "branches",
        codec: &Protobuf,
        make: branches,
    },
    Shape {
        what: "groups",
        codec: &Protobuf,
        make: groups,
    },
    Shape {
        what: "lists",
        codec: &Json,
        make: |depth| json(depth, "[", "]"),
    },
    Shape {
        what: "objects",
        codec: &Json,
        make: |depth| json(depth, r#"{"branches":["#, "]}"),
    },
    Shape {
        what: "open lists",
        codec: &Json,
        make: |depth| json(depth, "[", ""),
    },
    Shape {
        what: "lists of an unknown name",
        codec: &Json,
        make: |depth| [br#"{"other":"#, &json(depth, "[", "]")[..], b"}"].concat(),
    },
    Shape {
        what: "open lists of an unknown name",
        codec: &Json,
        make: |depth| [br#"{"other":"#, &json(depth, "[", "")[..], b"}"].concat(),
    },
];

/// A tree in a tree in a tree: lengths are known from the inside out.
#[must_use]
pub fn branches(depth: usize) -> Vec<u8> {
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
#[must_use]
pub fn groups(depth: usize) -> Vec<u8> {
    [vec![9 << 3 | 3; depth], vec![9 << 3 | 4; depth]].concat()
}

/// Lists or objects in each other, all of them ended where there is a `close`.
#[must_use]
pub fn json(depth: usize, open: &str, close: &str) -> Vec<u8> {
    [open.repeat(depth), close.repeat(depth)]
        .concat()
        .into_bytes()
}
