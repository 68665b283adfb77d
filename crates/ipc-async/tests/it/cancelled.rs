//! A future that is dropped has done nothing.

use ipc_async::Async;
use ipc_pipe::{Capacity, Options};
use ipc_testkit::watchdog;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(300);
const MESSAGES: u64 = 100_000;

/// Polls `future` once and drops it: what `select!` does to the branch that loses.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_cancelled_receives_lose_no_message() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let tx = Async::new(tx.framed()).expect("registered");
    let rx = Async::new(rx.framed()).expect("registered");
    let sender = tokio::spawn(async move {
        for number in 0..MESSAGES {
            tx.send(&number.to_le_bytes()).await.expect("send");
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        tx.flush().await.expect("a reader is there");
    });
    let (mut next, mut cancelled) = (0, 0);
    let mut bytes = [0; 8];
    while next < MESSAGES || cancelled < MESSAGES {
        match poll_once(rx.recv(&mut bytes)) {
            Some(Ok(length)) => {
                assert_eq!((length, u64::from_le_bytes(bytes)), (8, next));
                next += 1;
            }
            Some(Err(error)) => {
                assert_eq!(next, MESSAGES, "{error}");
                break;
            }
            None => {
                cancelled += 1;
                if cancelled % 16 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    sender.await.expect("no panic");
    assert_eq!(next, MESSAGES);
    assert!(cancelled > 0, "some futures were dropped while they waited");
}

#[tokio::test]
async fn a_cancelled_send_has_sent_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let mut options = Options::new();
    let (tx, rx) = options.capacity(Capacity::Default).pair().expect("a pipe");
    let (tx, rx) = (tx.framed(), rx.framed());
    let tx = Async::new(tx).expect("registered");
    let mut sent = Vec::new();
    let mut cancelled = 0;
    for number in 0..20_000u64 {
        match poll_once(tx.send(&number.to_le_bytes())) {
            Some(outcome) => {
                outcome.expect("a reader is there");
                sent.push(number);
            }
            None => {
                cancelled += 1;
                tokio::task::yield_now().await;
                let mut bytes = [0; 8];
                for expected in sent.drain(..sent.len().min(50)) {
                    rx.recv(&mut bytes).expect("it was sent");
                    assert_eq!(u64::from_le_bytes(bytes), expected);
                }
            }
        }
    }
    assert!(cancelled > 100);
    tx.flush().await.expect("a reader is there");
    let mut bytes = [0; 8];
    for expected in sent {
        rx.recv(&mut bytes).expect("it was sent");
        assert_eq!(u64::from_le_bytes(bytes), expected);
    }
    assert!(rx.try_recv(&mut bytes).is_err(), "and nothing more");
}
