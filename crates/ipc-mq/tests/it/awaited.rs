//! Queues awaited: every message comes, however many receives are cancelled.

use ipc_async::Async;
use ipc_core::Interest;
use ipc_mq::{Options, Queue};
use ipc_testkit::watchdog;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(600);

/// How many receives are cancelled: `IPC_MQ_CANCELLED=1000000` is the claim's own number.
fn count() -> u64 {
    let asked = std::env::var("IPC_MQ_CANCELLED").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(10_000)
}

fn pair() -> (Async<Queue>, Async<Queue>) {
    let mut options = Options::new();
    options.max_messages(8).message_size_bytes(8);
    let rx = options.create_unnamed().expect("a queue");
    let tx = rx.try_clone().expect("a descriptor");
    let registered = |queue| Async::new(queue).expect("registered");
    (registered(tx), registered(rx))
}

/// Polls `future` once and drops it: what `select!` does to the branch that loses.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_receives_lose_no_message() {
    let _watchdog = watchdog(PATIENCE);
    let count = count();
    let (tx, rx) = pair();
    let sender = tokio::spawn(async move {
        for number in 0..count {
            tx.send(&number.to_le_bytes()).await.expect("send");
            if number % 4 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let (mut next, mut cancelled) = (0, 0);
    let mut bytes = [0; 8];
    while next < count || cancelled < count {
        match poll_once(rx.recv(&mut bytes)) {
            Some(outcome) => {
                assert_eq!(outcome.expect("no end"), 8);
                assert_eq!(u64::from_le_bytes(bytes), next);
                next += 1;
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
    assert_eq!(next, count);
    assert!(cancelled >= count);
    assert_eq!(rx.get_ref().status().expect("there").messages, 0);
}

#[tokio::test]
async fn a_cancelled_send_has_sent_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = pair();
    let (mut sent, mut cancelled) = (Vec::new(), 0);
    for number in 0..2_000_u64 {
        let message = number.to_le_bytes();
        let send = tx.ready(Interest::Write, |queue| queue.try_send(&message, 3));
        match poll_once(send) {
            Some(outcome) => {
                outcome.expect("room");
                sent.push(number);
            }
            None => {
                cancelled += 1;
                let mut bytes = [0; 8];
                for expected in sent.drain(..) {
                    let (length, priority) = rx
                        .get_ref()
                        .try_recv_with_priority(&mut bytes)
                        .expect("sent");
                    assert_eq!((length, priority), (8, 3));
                    assert_eq!(u64::from_le_bytes(bytes), expected);
                }
                assert!(
                    rx.get_ref().try_recv(&mut bytes).is_err(),
                    "and nothing more"
                );
                tokio::task::yield_now().await;
            }
        }
    }
    assert!(cancelled > 100);
}

#[tokio::test]
async fn a_send_that_waits_is_woken_by_room() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = pair();
    let sender = tokio::spawn(async move {
        for number in 0..100_u64 {
            tx.send(&number.to_le_bytes()).await.expect("send");
        }
    });
    let mut bytes = [0; 8];
    for number in 0..100_u64 {
        assert_eq!(rx.recv(&mut bytes).await.expect("no end"), 8);
        assert_eq!(u64::from_le_bytes(bytes), number);
    }
    sender.await.expect("no panic");
}
