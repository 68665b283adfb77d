//! A client that breaks the rules of HTTP/2 harms its own stream or connection, and nobody else.

use crate::frames::{Frame, GOAWAY, HEADERS, PING, PREFACE, RESET, SETTINGS, frame, frames};
use crate::protocol_cases::{Expect, cases};
use crate::shop::{PATIENCE, Served, plain};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_testkit::inventory::{StockClient, item};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Sends it and a PING, and reads until that is answered, the stream is over, or the connection
/// is: what came, and whether it ended.
fn ask(path: &str, bytes: &[u8], fine: bool) -> (Vec<Frame>, bool) {
    let mut stream = UnixStream::connect(path).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    let ping = frame(PING, 0, 0, b"the last");
    let all = [
        PREFACE,
        &frame(SETTINGS, 0, 0, &[]),
        bytes,
        if fine { &ping } else { &[] },
    ]
    .concat();
    let _ = stream.write_all(&all);
    let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let met = frames(&came);
        let answered = met.iter().any(|frame| frame.payload == b"the last");
        let over = met
            .iter()
            .any(|frame| frame.kind == RESET || (frame.kind == HEADERS && frame.is_end()));
        if over && (answered || !fine) {
            return (met, false);
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return (met, true),
            Ok(length) => came.extend(&buffer[..length]),
        }
    }
}

/// The reasons of all frames of this kind.
fn reasons(came: &[Frame], kind: u8, at: usize) -> Vec<u32> {
    let of_kind = came.iter().filter(|frame| frame.kind == kind);
    let words = of_kind.filter_map(|frame| frame.payload.get(at..at + 4)?.try_into().ok());
    words.map(u32::from_be_bytes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_rules_of_http_2_ends_its_stream_or_its_connection() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let stock = StockClient::new(served.connect().await);
    let path = served.endpoint.strip_prefix("unix:").expect("a path");
    let mut wrong = Vec::new();
    for (name, bytes, expect) in cases() {
        let path = path.to_owned();
        let fine = matches!(expect, Expect::Fine);
        let asking = tokio::task::spawn_blocking(move || ask(&path, &bytes, fine));
        let (came, ended) = asking.await.expect("no panic");
        let goodbyes = reasons(&came, GOAWAY, 4);
        let resets = reasons(&came, RESET, 0);
        let has = |met: &[u32], of: &[u32]| met.iter().any(|reason| of.contains(reason));
        let answered = came.iter().any(|frame| frame.kind == HEADERS);
        let heads = came.iter().filter(|frame| frame.kind == HEADERS);
        // A head that is also the end has no message after it.
        let failed = heads.clone().count() == 1 && heads.clone().all(Frame::is_end);
        let good = match expect {
            Expect::End(of) => ended && has(&goodbyes, of),
            Expect::Reset(of) => has(&resets, of) || (ended && has(&goodbyes, of)),
            Expect::Refused => !resets.is_empty() || !goodbyes.is_empty() || failed,
            Expect::Fine => answered && !ended,
        };
        if !good {
            wrong.push(format!(
                "{name}: {expect:?}, but ended: {ended}, goodbyes {goodbyes:?}, resets {resets:?}, \
                 answered: {answered}"
            ));
        }
        let put = stock.put(&Context::new(), item("a", 0)).await;
        assert!(put.is_ok(), "another's call after {name}: {put:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    drop(stock);
    served.stop().await;
}
