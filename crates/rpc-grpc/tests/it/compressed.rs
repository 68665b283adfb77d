//! Compressed messages and limits of their size, in both directions.

use crate::raw;
use crate::shop::{PATIENCE, Served, plain, router};
use ipc_testkit::watchdog;
use rpc_core::{Body, Call, CallFuture, Channel, Code, Context, Server};
use rpc_grpc::{Encoding, Options, came_compressed, uncompressed};
use rpc_testkit::inventory::{StockClient, item};
use rpc_testkit::table;
use std::sync::{Arc, Mutex};
use tower_layer::layer_fn;

#[tokio::test]
async fn the_table_passes_in_every_encoding_of_either_side() {
    let _watchdog = watchdog(PATIENCE);
    let encodings = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd];
    for server in encodings {
        let served = Served::unix(plain().encoding(server).clone());
        for client in encodings {
            let options = plain().encoding(client).clone();
            let connection = options.connect(&served.endpoint).await.expect("it listens");
            table::of_the_inventory(connection.clone(), client.name()).await;
            let stock = StockClient::new(connection);
            let long = "x".repeat(100_000);
            let put = stock.put(&Context::new(), item(&long, 7)).await;
            assert!(put.is_ok(), "{put:?}");
            assert!(stock.get(&Context::new(), long).await.is_ok());
        }
        served.stop().await;
    }
}

#[tokio::test]
async fn an_answer_is_compressed_only_for_who_understands_it() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain().encoding(Encoding::Gzip).clone());
    let stock = StockClient::new(served.connect().await);
    let name = "x".repeat(1_000);
    stock
        .put(&Context::new(), item(&name, 1))
        .await
        .expect("put");
    let body = [&[0, 0, 0, 3, 235, 10, 232, 7][..], name.as_bytes()].concat();
    let mut sender = raw::sender(&served.endpoint).await;
    let get = "/inventory.v1.Stock/Get";
    for (accepted, flag) in [("identity", 0), ("deflate, gzip", 1), ("zstd", 0)] {
        let request = raw::request(get, &[("grpc-accept-encoding", accepted)], &body);
        let answered = raw::send(&mut sender, request).await.expect("an answer");
        assert_eq!(answered.body[0], flag, "{accepted}");
        let told = answered.headers.get("grpc-encoding").is_some();
        assert_eq!(told, flag == 1, "{accepted}");
    }
    served.stop().await;
}

/// Sends no message compressed, and notes which answers came so.
struct Plain<C>(C, Arc<Mutex<Vec<bool>>>);

impl<C: Channel> Channel for Plain<C> {
    fn call(&self, mut call: Call) -> CallFuture {
        if let Body::One(payload) = &call.body {
            call.body = Body::One(uncompressed(payload).expect("a message"));
        }
        let (work, seen) = (self.0.call(call), Arc::clone(&self.1));
        Box::pin(async move {
            let reply = work.await?;
            if let Body::One(payload) = &reply.body {
                seen.lock()
                    .expect("no panic")
                    .push(came_compressed(payload));
            }
            Ok(reply)
        })
    }
}

#[tokio::test]
async fn a_layer_of_either_side_says_of_each_message_whether_it_is_compressed() {
    let _watchdog = watchdog(PATIENCE);
    let at_server = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&at_server);
    let noted = layer_fn(move |inner| Noted(inner, Arc::clone(&seen)));
    let server = Server::new(router(&Arc::default())).layer(noted);
    let served = Served::server(server, plain().encoding(Encoding::Gzip).clone());
    let options = plain().encoding(Encoding::Gzip).clone();
    let connection = options.connect(&served.endpoint).await.expect("it listens");
    let cx = Context::new();
    let name = "x".repeat(1_000);
    let packing = StockClient::new(connection.clone());
    packing.put(&cx, item(&name, 1)).await.expect("put");
    let at_client = Arc::new(Mutex::new(Vec::new()));
    let stock = StockClient::new(Plain(connection, Arc::clone(&at_client)));
    stock.put(&cx, item(&name, 1)).await.expect("put");
    assert_eq!(stock.get(&cx, name).await.expect("there").count, 2);
    assert_eq!(*at_server.lock().expect("no panic"), [true, false, false]);
    // The answer to `put` is too small to be worth it.
    assert_eq!(*at_client.lock().expect("no panic"), [false, true]);
    drop((stock, packing));
    served.stop().await;
}

/// Notes which questions came compressed.
struct Noted<C>(C, Arc<Mutex<Vec<bool>>>);

impl<C: Channel> Channel for Noted<C> {
    fn call(&self, call: Call) -> CallFuture {
        if let Body::One(payload) = &call.body {
            let mut seen = self.1.lock().expect("no panic");
            seen.push(came_compressed(payload));
        }
        self.0.call(call)
    }
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_by_either_side() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let long = "x".repeat(5 << 20);
    let cx = Context::new();
    let own = StockClient::new(served.connect().await);
    let refused = own.put(&cx, item(&long, 1)).await.expect_err("too large");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.did_not_run());
    let large = |options: &mut Options| options.max_message_bytes(16 << 20).clone();
    let other = large(&mut plain())
        .connect(&served.endpoint)
        .await
        .expect("it listens");
    let other = StockClient::new(other);
    let refused = other.put(&cx, item(&long, 1)).await.expect_err("too large");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let packed = large(plain().encoding(Encoding::Zstd))
        .connect(&served.endpoint)
        .await;
    let packed = StockClient::new(packed.expect("it listens"));
    let refused = packed.put(&cx, item(&long, 1)).await.expect_err("a bomb");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(own.put(&cx, item("a", 1)).await, Ok(1), "both serve on");
    served.stop().await;
}
