//! How connections end: peers that are silent, servers that are stopped under load.

use crate::frames::{DATA, END_HEADERS, GET, HEADERS, PING, SETTINGS};
use crate::frames::{frame, frames, greeted, head, until_end};
use crate::shop::{PATIENCE, Served, plain};
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Code, Context};
use rpc_grpc::Limits;
use rpc_testkit::inventory::{StockClient, item};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_silent_is_asked_and_then_given_up_by_either_side() {
    let _watchdog = watchdog(PATIENCE);
    let limits = Limits::new()
        .keep_alive(Some(Duration::from_millis(1)))
        .keep_alive_timeout(Duration::from_millis(300))
        .clone();
    let options = plain().limits(limits).clone();
    let served = Served::unix(options.clone());
    let endpoint = served.endpoint.clone();
    // A client with a call under way that answers nothing.
    let by_server = tokio::task::spawn_blocking(move || {
        let mut stream = greeted(&endpoint);
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let never = [0, 0, 0, 0, 7, 10, 5, b'n', b'e', b'v', b'e', b'r'];
        let call = [
            frame(HEADERS, END_HEADERS, 1, &head(GET, &[])),
            frame(DATA, 1, 1, &never),
        ];
        stream.write_all(&call.concat()).expect("room");
        until_end(&mut stream)
    });
    // A server that greets and says nothing more.
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = UnixListener::bind(&path).expect("a free path");
    let silent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).expect("room");
        let mut came = Vec::new();
        stream.read_to_end(&mut came).expect("the client goes");
        came
    });
    let connection = options.connect(&format!("unix:{}", path.display())).await;
    let stock = StockClient::new(connection.expect("it listens"));
    let names = rpc_core::items(Vec::<String>::new());
    let lost = match stock.look(&Context::background(), names).await {
        Ok(mut stream) => stream.next().await.expect("a failure").expect_err("lost"),
        Err(status) => status,
    };
    assert_eq!(lost.code(), Code::Unavailable, "{lost}");
    drop(stock);
    let asked = |bytes: &[u8]| frames(bytes).iter().any(|frame| frame.kind == PING);
    let came = silent.join().expect("no panic");
    assert!(asked(&came[24..]), "the silent server was not asked");
    let (came, ended) = by_server.await.expect("no panic");
    assert!(ended && asked(&came), "the silent client was not given up");
    served.stop().await;
}

/// What became of the calls of those who called while a server stopped.
#[derive(Default)]
struct Outcomes {
    ran: AtomicUsize,
    refused: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_under_load_loses_no_call_that_it_took() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..20 {
        let served = Served::unix(plain());
        let outcomes = Arc::new(Outcomes::default());
        let mut callers = Vec::new();
        for caller in 0..8 {
            let stock = StockClient::new(served.connect().await);
            let outcomes = Arc::clone(&outcomes);
            callers.push(tokio::spawn(async move {
                for call in 0.. {
                    let sku = format!("{caller}-{call}");
                    match stock.put(&Context::new(), item(&sku, 1)).await {
                        Ok(1) => outcomes.ran.fetch_add(1, Ordering::SeqCst),
                        Ok(other) => panic!("{sku} ran {other} times"),
                        Err(status) => {
                            // It must be sure, or a caller could not repeat it.
                            assert!(status.did_not_run(), "{status}");
                            outcomes.refused.fetch_add(1, Ordering::SeqCst);
                            break;
                        }
                    };
                }
            }));
        }
        while outcomes.ran.load(Ordering::SeqCst) < 50 * (round % 4 + 1) {
            tokio::task::yield_now().await;
        }
        let shop = Arc::clone(&served.shop);
        served.stop().await;
        for caller in callers {
            caller.await.expect("no panic");
        }
        let shelves = shop.shelves.lock().expect("no panic");
        let ran = outcomes.ran.load(Ordering::SeqCst);
        assert_eq!(shelves.len(), ran, "what ran is what was answered");
        assert_eq!(outcomes.refused.load(Ordering::SeqCst), 8);
    }
}
