//! A call whose message comes while it is read.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;
use rpc_core::{
    Arriving, Came, Code, Codec, Context, DirectRequest, Protobuf, Router, Status, innermost,
};
use rpc_testkit::calculator::{Adder, CALCULATOR_SERVICE, CalculatorServer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Bytes that are all here at a moment, and not before.
struct Until(Instant, &'static [u8]);

impl Buf for Until {
    fn remaining(&self) -> usize {
        self.1.len()
    }
    fn chunk(&self) -> &[u8] {
        while Instant::now() < self.0 {
            std::hint::spin_loop();
        }
        self.1
    }
    fn advance(&mut self, count: usize) {
        self.1.advance(count);
    }
}

impl Arriving for Until {
    fn wait_for(&mut self, _: usize) {}
    fn outcome(&self) -> Result<(), Status> {
        Ok(())
    }
}

#[test]
fn a_message_that_takes_longer_than_its_call_may_runs_nothing() {
    let router = Router::new().service(CalculatorServer::new(Adder));
    let mut methods = CALCULATOR_SERVICE.methods().iter();
    let method = methods
        .find(|method| method.name == "Add")
        .expect("it adds");
    let target = innermost(&router, method);
    assert!(target.serves_directly(method));
    let hour = Duration::from_secs(3_600);
    for (timeout, in_time) in [(hour, true), (Duration::from_millis(2), false)] {
        let (now, mut answers) = (Instant::now(), 0);
        let mut bytes = Until(now + Duration::from_millis(3), &[8, 2, 16, 3]);
        let mut give = |_: &dyn rpc_core::Wire| answers += 1;
        let outcome = target.serve_directly(&mut DirectRequest {
            method,
            context: Context::new().deadline(now + timeout),
            now,
            codec: &Protobuf,
            message: Came::Arriving(&mut bytes),
            give: &mut give,
        });
        match outcome.expect("it serves") {
            Ok(()) => assert!(in_time),
            Err(status) => {
                assert!(status.did_not_run() && !in_time);
                assert_eq!(status.code(), Code::DeadlineExceeded);
            }
        }
        assert_eq!(answers == 1, in_time);
    }
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Text {
    #[prost(string, tag = 1)]
    text: String,
}

/// Every kind of field.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Many {
    #[prost(sint64, tag = 1)]
    small: i64,
    #[prost(string, tag = 2)]
    text: String,
    #[prost(bytes = "vec", repeated, tag = 3)]
    parts: Vec<Vec<u8>>,
    #[prost(bytes = "bytes", tag = 4)]
    #[serde(skip)]
    share: Bytes,
    #[prost(fixed64, repeated, tag = 5)]
    packed: Vec<u64>,
    #[prost(double, tag = 6)]
    number: f64,
    #[prost(btree_map = "string, uint32", tag = 7)]
    map: BTreeMap<String, u32>,
    #[prost(message, optional, boxed, tag = 8)]
    inner: Option<Box<Many>>,
    #[prost(group, optional, tag = 9)]
    group: Option<Text>,
    #[prost(string, tag = 1000)]
    last: String,
}

fn many(bytes: usize) -> Many {
    let part = |bytes| (0..bytes).map(|at| (at % 127) as u8).collect::<Vec<u8>>();
    let text = |bytes| String::from_utf8(part(bytes)).expect("ASCII");
    Many {
        small: -3,
        text: text(bytes),
        parts: vec![part(bytes), part(1), part(0), part(bytes)],
        share: part(bytes).into(),
        packed: (0..bytes as u64 / 8).collect(),
        number: 0.5,
        map: BTreeMap::from([(text(3), 7), (text(bytes), 8)]),
        last: text(2),
        ..Many::default()
    }
}

/// Bytes that come by so many, each to a place of its own.
struct Steps<'a> {
    rest: &'a [u8],
    step: usize,
    /// The most that was put together.
    longest: usize,
}

impl Buf for Steps<'_> {
    fn remaining(&self) -> usize {
        self.rest.len()
    }
    fn chunk(&self) -> &[u8] {
        // Where it stands hangs on what is left, as it does where places are filled anew.
        let come = match self.rest.len() % self.step {
            0 => self.step,
            come => come,
        };
        &self.rest[..come.min(self.rest.len())]
    }
    fn advance(&mut self, count: usize) {
        self.rest.advance(count);
    }
    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.longest = self.longest.max(length);
        let mut copy = BytesMut::with_capacity(length);
        bytes::BufMut::put(&mut copy, self.take(length));
        copy.freeze()
    }
}

impl Arriving for Steps<'_> {
    fn wait_for(&mut self, _: usize) {}
    fn outcome(&self) -> Result<(), Status> {
        Ok(())
    }
}

#[test]
fn a_message_is_the_same_however_it_comes() {
    for length in [0, 5, 130, 20_000, 100_000] {
        for depth in [false, true] {
            let mut message = many(length);
            if depth {
                message.inner = Some(Box::new(many(length / 2)));
                message.group = Some(Text {
                    text: "a".repeat(length / 3),
                });
            }
            let bytes = message.encode_to_vec();
            for step in [1, 2, 3, 11, 64, 1_000, 65_536, usize::MAX] {
                let mut comes = Steps {
                    rest: &bytes,
                    step,
                    longest: 0,
                };
                let mut read = Many::default();
                let outcome = Protobuf.decode_arriving(&mut comes, &mut read);
                assert!(outcome.is_ok() && read == message, "{length} by {step}");
                assert!(comes.rest.is_empty());
                // What is short and there is read from where it stands.
                let stands = step > bytes.len() && length < 1_000 && !depth;
                assert!(!stands || comes.longest == 0, "{length} were copied");
            }
        }
    }
}

#[test]
fn a_message_that_lies_is_refused_as_if_it_were_whole() {
    let lies: [&[u8]; 8] = [
        &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, b'a'],
        &[0x12, 5, b'a'],
        &[0x12, 2, 0xff, 0xfe],
        &[0x12],
        &[0x12, 0x80],
        &[0x42, 2, 0x12, 5, b'a', b'a', b'a', b'a', b'a'],
        &[0x31, 1, 2, 3],
        &[0x4b, 0x12, 1, b'a'],
    ];
    for lie in lies {
        let whole = Protobuf.decode_slice(lie, &mut Many::default());
        let whole = whole.expect_err("a lie");
        for step in [1, 2, usize::MAX] {
            let mut comes = Steps {
                rest: lie,
                step,
                longest: 0,
            };
            let told = Protobuf.decode_arriving(&mut comes, &mut Many::default());
            let told = told.expect_err("a lie");
            assert_eq!(told.code(), whole.code(), "{lie:?} by {step}");
            assert!(comes.longest <= lie.len());
        }
    }
}
