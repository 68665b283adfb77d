//! D5: messages nested deeper than any stack, refused in no time by every codec.

use bytes::Bytes;
use ipc_testkit::crash::{Lab, Tally, Tier};
use prost::Message;
use rpc_core::{Code, Codec, Json, Payload, Protobuf};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What refusing may take for a MiB.
const MIB_TIME: Duration = Duration::from_millis(10);
const STACK: usize = 2 << 20;

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
struct Tree {
    #[prost(string, tag = 1)]
    name: String,
    #[prost(message, repeated, tag = 4)]
    branches: Vec<Tree>,
}

/// Depths of 10^5 to 10^7, on a small stack.
pub(crate) fn ends_early(lab: &mut Lab) {
    let times = lab.count(1, 20, 200);
    let judge = lab.tier != Tier::Push;
    let deepest = lab.count(1_000_000, 10_000_000, 10_000_000) as usize;
    type Make = fn(usize) -> Vec<u8>;
    let shapes: [(&str, &'static dyn Codec, Make); 7] = [
        ("branches", &Protobuf, branches),
        ("groups", &Protobuf, groups),
        ("lists", &Json, |depth| json(depth, "[", "]")),
        ("objects", &Json, |depth| {
            json(depth, r#"{"branches":["#, "]}")
        }),
        ("open lists", &Json, |depth| json(depth, "[", "")),
        ("open lists of an unknown name", &Json, |depth| {
            [br#"{"other":"#, &json(depth, "[", "")[..], b"}"].concat()
        }),
        ("lists of an unknown name", &Json, |depth| {
            [br#"{"other":"#, &json(depth, "[", "]")[..], b"}"].concat()
        }),
    ];
    for (what, codec, make) in shapes {
        let name = format!("{what} in {}, 10^5 to {deepest:.0e} deep", codec.name());
        let mut tally = Tally::new("D5", name);
        let small = std::thread::Builder::new().stack_size(STACK);
        let work = move || {
            for depth in [100_000, 1_000_000, 10_000_000] {
                if depth > deepest {
                    continue;
                }
                let bytes = Bytes::from(make(depth));
                for _ in 0..times {
                    let mib = (bytes.len() as f64 / f64::from(1 << 20)).max(1e-6);
                    let payload = Payload::Encoded(codec, bytes.clone());
                    let begun = worked();
                    let tree = payload.take::<Tree>();
                    let took = (worked() - begun).div_f64(mib);
                    tally.time(took);
                    tally.trial(match tree {
                        Err(status) if status.code() != Code::InvalidArgument => {
                            Err(status.to_string())
                        }
                        Ok(_) => Err(format!("{depth} levels were read")),
                        Err(_) if judge && took >= MIB_TIME => Err(format!("{took:?} a MiB")),
                        Err(_) => Ok(()),
                    });
                }
            }
            tally.note("a MiB");
            tally
        };
        let tally = small.spawn(work).expect("a thread").join();
        lab.enter(tally.expect("no panic"));
    }
}

/// What this thread has worked: nothing here waits, and others of this host do not count.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it has begun")
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
