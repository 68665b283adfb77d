//! A server whose clients lie, flood or dawdle serves the others, and a client survives servers
//! that do.

use crate::raw;
use crate::remote::Remote;
use crate::shop::{PATIENCE, Served, plain};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_testkit::inventory::{StockClient, item};

const GET: &str = "/inventory.v1.Stock/Get";

/// What is asked, with what headers and body, and the status of the answer.
type Lie<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u8);

#[tokio::test]
async fn every_lie_of_a_request_has_its_status() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let mut sender = raw::sender(&served.endpoint).await;
    let good = &[0, 0, 0, 0, 3, 10, 1, b'x'][..];
    let cases: &[Lie<'_>] = &[
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

/// How much memory a process holds, in KiB.
fn resident_kib(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a line");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[tokio::test]
async fn lengths_that_lie_cost_no_memory() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("well");
    let lies = [
        &[0, 0, 63, 255, 255, 1][..],
        &[0, 255, 255, 255, 255, 1],
        &[0, 64, 0, 0, 0],
    ];
    let lie = async |sender: &mut hyper::client::conn::http2::SendRequest<_>, times| {
        for time in 0..times {
            let request = raw::request(GET, &[], lies[time % 3]);
            let answered = raw::send(sender, request).await.expect("an answer");
            assert!(
                matches!(answered.grpc_status(), Some(8 | 13)),
                "{answered:?}"
            );
        }
    };
    let mut sender = raw::sender(&remote.endpoint).await;
    lie(&mut sender, 2_000).await;
    let before = resident_kib(remote.server.id());
    lie(&mut sender, 10_000).await;
    let after = resident_kib(remote.server.id());
    assert!(after < before + 1024, "{before} KiB became {after} KiB");
}

#[tokio::test]
async fn nesting_without_end_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let mut sender = raw::sender(&served.endpoint).await;
    for depth in [101_u32, 1_000_000] {
        // Groups in groups, of a field that nobody knows.
        let mut body = vec![0];
        body.extend(depth.to_be_bytes());
        body.extend(std::iter::repeat_n(0x1b, depth as usize));
        let answered = raw::send(&mut sender, raw::request(GET, &[], &body)).await;
        assert_eq!(
            answered.expect("an answer").grpc_status(),
            Some(3),
            "{depth}"
        );
    }
    served.stop().await;
}

/// A number after another, the same in each run.
fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    usize::try_from(*seed >> 33).expect("31 bits")
}

#[tokio::test]
async fn two_thousand_generated_lies_are_answered() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let mut sender = raw::sender(&served.endpoint).await;
    let names = [
        "grpc-timeout",
        "key-bin",
        "grpc-encoding",
        "traceparent",
        "tenant",
    ];
    let letters = b"0123456789HMSmunAPz=,%-+ gip";
    let mut seed = 20_061_121;
    for number in 0..2_000 {
        let (kind, length) = (next(&mut seed) % names.len(), next(&mut seed) % 14);
        let text = (0..length).map(|_| char::from(letters[next(&mut seed) % letters.len()]));
        let text: String = text.collect();
        // A good message, of which one byte is another, or which is cut or followed by more.
        let mut body = vec![0, 0, 0, 0, 3, 10, 1, b'x'];
        match next(&mut seed) % 4 {
            0 => {}
            1 => body.truncate(next(&mut seed) % 8),
            2 => body.extend(std::iter::repeat_n(7, next(&mut seed) % 9)),
            _ => body[next(&mut seed) % 8] = next(&mut seed).to_le_bytes()[0],
        }
        let request = raw::request(GET, &[(names[kind], text.trim())], &body);
        let answered = raw::send(&mut sender, request).await;
        let answered = answered.unwrap_or_else(|error| panic!("{number}: {error}"));
        // What was understood is missing, or late; all else is named. Nothing else can come of it.
        let named = matches!(answered.grpc_status(), Some(3 | 4 | 5 | 8 | 12 | 13));
        assert!(
            named,
            "{number}: {}: {text:?}, {body:?}: {answered:?}",
            names[kind]
        );
    }
    served.stop().await;
}
