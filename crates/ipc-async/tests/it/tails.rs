//! What an accepted send owes is written, awaited or not.

use ipc_async::Async;
use ipc_pipe::{Capacity, Options};
use ipc_testkit::watchdog;
use std::io::Read;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_large_send_is_finished_in_the_background_before_the_answer() {
    let _watchdog = watchdog(PATIENCE);
    let mut options = Options::new();
    options.capacity(Capacity::Default);
    let (left, right) = options.duplex().expect("two pipes");
    let left = Async::new(left.framed()).expect("registered");
    let right = Async::new(right.framed()).expect("registered");
    let question = pattern(1_000_000);
    let asked = question.clone();
    let server = tokio::spawn(async move {
        let mut whole = vec![0; 2_000_000];
        let length = right.recv(&mut whole).await.expect("the whole question");
        assert!(whole[..length] == asked);
        right.send(b"answer").await.expect("send");
    });
    left.send(&question).await.expect("begun");
    let mut answer = [0; 16];
    assert_eq!(left.recv(&mut answer).await.expect("an answer"), 6);
    server.await.expect("no panic");
}

#[tokio::test]
async fn a_dropped_endpoint_still_finishes_what_it_accepted() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = Options::new()
        .capacity(Capacity::Default)
        .pair()
        .expect("a pipe");
    let sent = pattern(500_000);
    let tx = Async::new(tx).expect("registered");
    tx.send(&sent).await.expect("begun");
    let tx = tx.into_inner().expect_err("its tail is being written");
    drop(tx);
    let reader = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        (&rx).read_to_end(&mut all).map(|_| all)
    });
    assert!(reader.await.expect("no panic").expect("the end") == sent);
}

#[tokio::test]
async fn flush_waits_for_the_tail() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = Options::new()
        .capacity(Capacity::Default)
        .pair()
        .expect("a pipe");
    let tx = Async::new(tx).expect("registered");
    for round in 0..20 {
        let sent = pattern(100_000 + round);
        tx.send(&sent).await.expect("begun");
        let length = sent.len();
        let rx = &rx;
        let (flushed, ()) = tokio::join!(tx.flush(), async {
            let mut all = vec![0; length];
            let mut filled = 0;
            while filled < length {
                match rx.try_recv(&mut all[filled..]) {
                    Ok(read) => filled += read,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
            assert!(all == sent);
        });
        flushed.expect("a reader is there");
    }
}
