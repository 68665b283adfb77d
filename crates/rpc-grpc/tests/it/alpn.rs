//! What TLS agrees on: who does not speak HTTP/2 is told so, by either side.

use crate::shop::{PATIENCE, Served, router};
use ipc_core::{ByteSink, ByteSource, Until};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Server};
use rpc_grpc::Options;
use rpc_testkit::identities::{Identities, side};
use rpc_testkit::inventory::{StockClient, item};
use rpc_transport::Wire;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn speaking(options: &rpc_transport::Options, protocols: &[&str]) -> rpc_transport::Options {
    let mut options = options.clone();
    options.tls(|tls| {
        tls.protocols(protocols);
    });
    options
}

async fn meet(options: &rpc_transport::Options, endpoint: &str) -> ipc_core::Result<Wire> {
    let endpoint = endpoint.parse().expect("a binding");
    let wire = options.connect_async(&endpoint, Instant::now() + PATIENCE);
    wire.await?.proven(PATIENCE).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tls_client_that_offers_no_h2_is_refused_with_a_clear_error() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    let server = side(identities.path(), Some("server"), false);
    let server = Options::new().transport(server).clone();
    let services = Server::new(router(&Arc::default()));
    let served = Served::listen(services, "tls:127.0.0.1:0", server);

    // What the server speaks is not offered at all: refused in the handshake.
    let other = speaking(&identities.client(None), &["spdy/3"]);
    let refused = meet(&other, &served.endpoint).await.expect_err("no h2");
    let text = refused.to_string().to_lowercase();
    assert!(text.contains("protocol"), "{text}");

    // HTTP/1.1 is spoken for browsers, and answers that gRPC needs the other version.
    let old = speaking(&identities.client(None), &["http/1.1"]);
    let wire = meet(&old, &served.endpoint).await.expect("it is spoken");
    assert_eq!(wire.protocol().as_deref(), Some(&b"http/1.1"[..]));
    let answer = tokio::task::spawn_blocking(move || {
        let request = "POST /inventory.v1.Stock/Get HTTP/1.1\r\nhost: shop.example\r\n\
            content-type: application/grpc\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let until = Until::after(PATIENCE);
        wire.write_until(&[], request.as_bytes(), until)
            .expect("room");
        let mut head = [0; 64];
        let length = wire.read_until(&mut head, until).expect("an answer");
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let answer = answer.await.expect("no panic");
    assert!(answer.starts_with("HTTP/1.1 505"), "{answer}");

    let client = Options::new().transport(identities.client(None)).clone();
    let connection = client.connect(&served.endpoint).await.expect("h2");
    let stock = StockClient::new(connection);
    assert_eq!(
        stock.put(&Context::new(), item("a", 1)).await,
        Ok(1),
        "it serves on"
    );
    drop(stock);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tls_server_that_agrees_on_nothing_is_refused_by_the_client() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    let server = side(identities.path(), Some("server"), false);
    let place = "tls:127.0.0.1:0".parse().expect("a binding");
    let listener = server.bind(&place).expect("a free port");
    let endpoint = listener.endpoint().expect("bound").to_string();
    let accepting = tokio::task::spawn_blocking(move || {
        let mut wire = listener.accept(Until::after(PATIENCE)).expect("a client");
        wire.handshake(Until::after(PATIENCE)).expect("a handshake");
        // Until the client goes.
        let _ = wire.read_until(&mut [0; 64], Until::after(PATIENCE));
    });
    let mut client = Options::new().transport(identities.client(None)).clone();
    let refused = client
        .connect_timeout(Duration::from_secs(30))
        .connect(&endpoint)
        .await;
    let refused = refused.expect_err("no h2");
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.did_not_run());
    assert!(refused.message().contains("HTTP/2"), "{refused}");
    accepting.await.expect("no panic");
}
