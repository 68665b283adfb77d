//! A server whose clients send garbage, dawdle, or flood serves the others.

use crate::raw::{frame, hello};
use crate::remote::{PATIENCE, Remote};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_native::Format;
use rpc_testkit::inventory::item;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn path(remote: &Remote) -> &str {
    remote.endpoint.strip_prefix("unix:").expect("a path")
}

/// Sends `bytes` and reads to the end; what came.
fn answer(remote: &Remote, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(path(remote)).expect("connect");
    // The server may close before all of it is out.
    let _ = stream.write_all(bytes);
    let mut came = Vec::new();
    let _ = stream.read_to_end(&mut came);
    came
}

#[tokio::test]
async fn garbage_ends_its_own_connection_and_no_other() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    let stock = remote.connect(Format::Protobuf).await;
    let mut seed = 7_u64;
    for round in 0..200 {
        let mut bytes = if round % 2 == 0 { hello() } else { Vec::new() };
        for _ in 0..64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.extend(seed.to_le_bytes());
        }
        let came = answer(&remote, &bytes);
        assert_eq!(
            came[..12],
            frame(1, 0, 0, &[0; 24])[..12],
            "it greets first"
        );
        assert!(
            came.len() > 36 && came[40] == 13,
            "then it closes, with a reason"
        );
    }
    let put = stock.put(&Context::new(), item("a", 1)).await;
    assert_eq!(put, Ok(1));
}

#[tokio::test]
async fn a_length_of_four_gigabytes_is_refused_at_once() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    for length in [u32::MAX, 1 << 31, 5 << 20] {
        let mut bytes = hello();
        bytes.extend(length.to_le_bytes());
        bytes.extend([4, 8, 0, 0, 1, 0, 0, 0]);
        let came = answer(&remote, &bytes);
        let text = String::from_utf8_lossy(&came[36 + 13..]).into_owned();
        assert_eq!(text, "a frame is longer than the limit");
    }
}

#[tokio::test]
async fn a_client_that_takes_no_answers_is_not_read_for_ever() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    let stock = remote.connect(Format::Protobuf).await;
    let mut flood = UnixStream::connect(path(&remote)).expect("connect");
    flood.write_all(&hello()).expect("room");
    flood.set_nonblocking(true).expect("our own");
    // Calls of a service that was never named: each is answered, and no answer is read.
    let mut payload = vec![1, 0, 0, 0];
    payload.extend([0; 4]);
    let (mut sent, mut full) = (0_u64, 0);
    let call = frame(4, 8, 1, &payload);
    while full < 3 && sent < 64 << 20 {
        match flood.write(&call) {
            Ok(length) => sent += length as u64,
            Err(_) => {
                // The other client is served meanwhile.
                let put = stock.put(&Context::new(), item("a", 1)).await;
                assert!(put.is_ok());
                full += 1;
            }
        }
    }
    assert!(sent < 64 << 20, "the server reads on without end");
}

#[tokio::test]
async fn another_connection_beyond_the_limit_is_closed() {
    let _watchdog = watchdog(PATIENCE);
    let directory = ipc_testkit::TempDir::new();
    let endpoint = format!("unix:{}", directory.join("socket").display());
    let serving = rpc_native::Options::new()
        .max_connections(8, 2)
        .bind(&endpoint);
    let server = rpc_core::Server::new(crate::remote::router());
    let server = server.with(serving.expect("bind")).expect("it carries all");
    tokio::spawn(server.run());
    let first = rpc_native::connect(&endpoint).await.expect("the first");
    let _second = rpc_native::connect(&endpoint).await.expect("the second");
    let third = rpc_native::connect(&endpoint)
        .await
        .expect_err("one too many");
    assert!(third.did_not_run());
    drop(first);
    // Its seat is free when the server has seen it go.
    while rpc_native::connect(&endpoint).await.is_err() {
        tokio::task::yield_now().await;
    }
}
