//! Messages nested deeper than any stack: refused by both codecs, on a stack of two megabytes.

use bytes::Bytes;
use rpc_core::{Code, Codec, Json, Payload, Protobuf};
use rpc_testkit::nesting::{SHAPES, Tree, branches, groups, json};
use std::time::Instant;

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
            for shape in SHAPES {
                refused(shape.what, depth, shape.codec, (shape.make)(depth));
            }
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
