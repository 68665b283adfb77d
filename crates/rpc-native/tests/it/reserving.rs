//! Messages of which little comes and much is said: what is taken for them, on each side, follows
//! what has come.

use crate::raw::{BOUND, CALL, LAST, RETURN, Raw, bind, call, frame, hello};
use crate::remote::PATIENCE;
use crate::straight::narrow;
use ipc_testkit::{large_allocations, largest_allocation, watchdog};
use rpc_core::{Code, Context, Describe, Router, Server, Status, block_on, service};
use rpc_native::{Limits, Options};
use rpc_testkit::shm;
use rpc_transport::Wire;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is said of a message: as much as is allowed, less what goes before it.
const SAID: usize = (4 << 20) - 32;
/// How much of it comes.
const COMES: [usize; 3] = [100, 100_000, 1 << 20];
/// What a connection reads into.
const CHUNK: usize = 64 << 10;

#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(name = "reserving.v1.Inner")]
pub(crate) struct Inner {
    #[prost(string, tag = 1)]
    text: String,
}

#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(name = "reserving.v1.Outer")]
pub(crate) struct Outer {
    #[prost(message, optional, tag = 1)]
    inner: Option<Inner>,
}

#[service(name = "reserving.v1.Store")]
trait Store {
    async fn text(&self, cx: &Context, text: String) -> Result<String, Status>;
    async fn blob(&self, cx: &Context, blob: Vec<u8>) -> Result<Vec<u8>, Status>;
    async fn outer(&self, cx: &Context, outer: Outer) -> Result<Outer, Status>;
    /// So many bytes.
    async fn give(&self, cx: &Context, bytes: u64) -> Result<Vec<u8>, Status>;
}

struct Shelf;

impl Store for Shelf {
    async fn text(&self, _: &Context, text: String) -> Result<String, Status> {
        Ok(text)
    }
    async fn blob(&self, _: &Context, blob: Vec<u8>) -> Result<Vec<u8>, Status> {
        Ok(blob)
    }
    async fn outer(&self, _: &Context, outer: Outer) -> Result<Outer, Status> {
        Ok(outer)
    }
    async fn give(&self, _: &Context, bytes: u64) -> Result<Vec<u8>, Status> {
        Ok(vec![7; bytes as usize])
    }
}

/// Of a message all that stands before its text, and of that so much.
fn begun(comes: usize, nested: &[usize]) -> Vec<u8> {
    let mut message = Vec::new();
    for length in nested {
        message.push(0x0a);
        prost::encoding::encode_varint(*length as u64, &mut message);
    }
    message.resize(message.len() + comes, b'a');
    message
}

/// A frame of [`SAID`] bytes, of which so many have come.
fn cut(mut frame: Vec<u8>) -> Vec<u8> {
    let length = (SAID + 16) as u32;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
}

/// Methods, and what is said in their messages: in the last one a message within a short one lies.
const WAYS: [(&str, &[usize]); 4] = [
    ("Text", &[SAID]),
    ("Blob", &[SAID]),
    ("Outer", &[SAID, SAID - 5]),
    ("Outer", &[10, SAID - 5]),
];

fn transports() -> [(Wire, Wire); 2] {
    let shared = shm::pair(&ipc_ring::Options::new()).expect("memory");
    [shared, Wire::pair().expect("a pair")]
}

fn for_each_way(run: impl Fn((Wire, Wire), &'static str, Vec<u8>) -> usize) {
    let _watchdog = watchdog(PATIENCE);
    for (method, said) in WAYS {
        for comes in COMES {
            for (number, wires) in transports().into_iter().enumerate() {
                let largest = run(wires, method, begun(comes, said));
                println!("{method} {said:?}, {comes} come over {number}: {largest} bytes");
                assert!(largest <= 2 * comes + CHUNK, "{largest} bytes at once");
            }
        }
    }
}

fn served() -> rpc_core::Served {
    Server::new(Router::new().service(StoreServer::new(Shelf))).served()
}

/// Says a lot, sends little and goes.
fn client(wire: Wire, method: &str, message: &[u8]) {
    let mut raw = Raw::over(wire);
    raw.send(&[hello(), bind(1, 1, &STORE_SERVICE)].concat());
    while raw.next().expect("a word on it").kind != BOUND {}
    raw.send(&cut(call(1, method, LAST, &[message])));
}

/// Greets, says a lot to the first call, sends little and goes.
fn server(wire: Wire, message: &[u8]) {
    let mut raw = Raw::over(wire);
    raw.send(&hello());
    while let Some(came) = raw.next() {
        let word = &came.payload[..];
        match came.kind {
            2 => raw.send(&frame(BOUND, 0, 0, &[word[0], word[1], 0, 0])),
            CALL => {
                raw.send(&cut(frame(RETURN, 0, 1, &[b"\0", message].concat())));
                break;
            }
            _ => {}
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

async fn ask(store: &StoreClient<impl rpc_core::Channel>, method: &str) {
    let cx = Context::new();
    let outcome = match method {
        "Text" => store.text(&cx, "a".into()).await.map(drop),
        "Blob" => store.blob(&cx, vec![1]).await.map(drop),
        _ => store.outer(&cx, Outer::default()).await.map(drop),
    };
    outcome.expect_err("it has gone");
}

#[test]
fn a_blocking_server_takes_no_more_for_a_message_than_comes() {
    for_each_way(|(near, far), method, message| {
        let mut session = Options::new().session(far, served());
        let serving = std::thread::spawn(move || {
            largest_allocation(|| while session.serve_next().is_ok_and(|goes_on| goes_on) {})
        });
        client(near, method, &message);
        serving.join().expect("no panic")
    });
}

#[test]
fn an_awaited_server_takes_no_more_for_a_message_than_comes() {
    for_each_way(|(near, far), method, message| {
        let serving = std::thread::spawn(move || {
            let (runtime, served) = (runtime(), served());
            largest_allocation(|| drop(runtime.block_on(Options::new().serve(far, served))))
        });
        client(near, method, &message);
        serving.join().expect("no panic")
    });
}

#[test]
fn a_blocking_client_takes_no_more_for_an_answer_than_comes() {
    for_each_way(|(near, far), method, message| {
        let serving = std::thread::spawn(move || server(far, &message));
        let connection = Options::new().over_blocking(near).expect("greeted");
        let store = StoreClient::new(connection);
        let largest = largest_allocation(|| block_on(ask(&store, method)));
        serving.join().expect("no panic");
        largest
    });
}

#[test]
fn an_awaited_client_takes_no_more_for_an_answer_than_comes() {
    for_each_way(|(near, far), method, message| {
        let serving = std::thread::spawn(move || server(far, &message));
        let runtime = runtime();
        let connection = runtime
            .block_on(Options::new().over(near))
            .expect("greeted");
        let store = StoreClient::new(connection);
        let largest = largest_allocation(|| runtime.block_on(ask(&store, method)));
        serving.join().expect("no panic");
        largest
    });
}

/// It is waited for once: nothing of it is kept that would be written, and waited for, again.
#[test]
fn a_large_answer_that_nobody_takes_is_dropped_with_its_connection() {
    const LARGE: usize = 1_000_000;
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = narrow();
    let serving = std::thread::spawn(move || {
        let limits = Limits::new()
            .frame_timeout(Duration::from_millis(50))
            .clone();
        let mut session = Options::new().limits(limits).session(far, served());
        let mut outcome = Ok(true);
        let taken = large_allocations(LARGE / 8, || {
            while outcome == Ok(true) {
                outcome = session.serve_next();
            }
        });
        (taken, outcome.map_err(|status| status.code()))
    });
    let mut raw = Raw::over(near);
    raw.send(&[hello(), bind(1, 1, &STORE_SERVICE)].concat());
    while raw.next().expect("a word on it").kind != BOUND {}
    let mut asked = vec![0x08];
    prost::encoding::encode_varint(LARGE as u64, &mut asked);
    raw.send(&call(1, "Give", LAST, &[&asked]));
    let (taken, outcome) = serving.join().expect("no panic");
    assert_eq!(outcome, Err(Code::DeadlineExceeded));
    assert_eq!(taken, 1, "the answer itself");
    assert_eq!(raw.next(), None, "it is cut off");
}
