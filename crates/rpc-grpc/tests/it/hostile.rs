//! A server whose clients lie, flood or dawdle serves the others, and a client survives servers
//! that do.

use crate::raw;
use crate::shop::{PATIENCE, Served, plain};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_testkit::inventory::{StockClient, item};

const GET: &str = "/inventory.v1.Stock/Get";

#[tokio::test]
async fn every_lie_of_a_request_has_its_status() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let mut sender = raw::sender(&served.endpoint).await;
    let good = &[0, 0, 0, 0, 3, 10, 1, b'x'][..];
    // What is asked, with what, and the status of the answer.
    let cases: &[(&str, &[(&str, &str)], &[u8], u8)] = &[
        (GET, &[], good, 5),
        ("/inventory.v1.Stock/Nothing", &[], good, 12),
        ("/inventory.v1.Nothing/Get", &[], good, 12),
        ("/", &[], good, 12),
        ("/inventory.v1.Stock", &[], good, 12),
        ("/inventory.v1.Stock/Get/", &[], good, 12),
        ("/INVENTORY.V1.STOCK/GET", &[], good, 12),
        (GET, &[], &[], 12),
        (GET, &[], &[0, 0, 0, 0], 13),
        (GET, &[], &[0, 0, 0, 0, 1], 13),
        (GET, &[], &[good, good].concat(), 12),
        (GET, &[], &[0, 0, 64, 0, 1], 8),
        (GET, &[], &[0, 255, 255, 255, 255], 8),
        (GET, &[], &[1, 0, 0, 0, 0], 13),
        (GET, &[], &[2, 0, 0, 0, 0], 13),
        (GET, &[], &[255, 0, 0, 0, 0], 13),
        (GET, &[("grpc-encoding", "snappy")], good, 12),
        (
            GET,
            &[("grpc-encoding", "gzip")],
            &[1, 0, 0, 0, 2, 1, 2],
            13,
        ),
        (GET, &[("grpc-timeout", "0n")], good, 4),
        (GET, &[("grpc-timeout", "99999999H")], good, 5),
        (GET, &[("grpc-timeout", "100000000S")], good, 13),
        (GET, &[("grpc-timeout", "1")], good, 13),
        (GET, &[("grpc-timeout", "-1S")], good, 13),
        (GET, &[("key-bin", "?")], good, 13),
        (GET, &[("traceparent", "junk")], good, 5),
        (GET, &[], &[0, 0, 0, 0, 2, 10, 255], 3),
    ];
    for (path, headers, body, status) in cases {
        let request = raw::request(path, headers, body);
        let answered = raw::send(&mut sender, request).await.expect("an answer");
        let told = (*path, *headers, *body, &answered);
        assert_eq!(answered.grpc_status(), Some(*status), "{told:?}");
    }
    let mut other = raw::request(GET, &[], good);
    other
        .headers_mut()
        .insert("content-type", "application/json".parse().expect("a value"));
    let answered = raw::send(&mut sender, other).await.expect("an answer");
    assert_eq!(answered.status, http::StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let mut other = raw::request(GET, &[], good);
    *other.method_mut() = http::Method::PUT;
    let answered = raw::send(&mut sender, other).await.expect("an answer");
    assert_eq!(answered.status, http::StatusCode::METHOD_NOT_ALLOWED);
    let stock = StockClient::new(served.connect().await);
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
    served.stop().await;
}
