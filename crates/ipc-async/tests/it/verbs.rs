//! The verbs with `.await`, over every kind of pipe.

use ipc_async::{Async, ErrorKind, Interest};
use ipc_core::Framed;
use ipc_pipe::Options;
use ipc_testkit::{Role, TempDir, isolated, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn messages_pass_both_ways_over_a_duplex() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_pipe::duplex().expect("two pipes");
    let left = Async::new(left.framed()).expect("registered");
    let right = Async::new(right.framed()).expect("registered");
    let echo = tokio::spawn(async move {
        let mut bytes = [0; 64];
        while let Ok(length) = right.recv(&mut bytes).await {
            right
                .send(&bytes[..length])
                .await
                .expect("the other side listens");
        }
    });
    let mut bytes = [0; 64];
    for number in 0..10_000u64 {
        left.send(&number.to_le_bytes()).await.expect("send");
        assert_eq!(left.recv(&mut bytes).await.expect("an echo"), 8);
        assert_eq!(bytes[..8], number.to_le_bytes());
    }
    drop(left);
    echo.await.expect("it ends with us");
}

#[tokio::test]
async fn records_and_bytes_keep_their_nature() {
    let (tx, rx) = Options::new().record(true).pair().expect("a pipe");
    let (tx, rx) = (
        Async::new(tx).expect("registered"),
        Async::new(rx).expect("registered"),
    );
    tx.send(b"one").await.expect("send");
    tx.send(b"three").await.expect("send");
    let mut bytes = [0; 4096];
    assert_eq!(rx.recv(&mut bytes).await.expect("a record"), 3);
    assert_eq!(rx.recv(&mut bytes).await.expect("a record"), 5);
    // A record kept for a larger buffer makes no descriptor ready, and is received all the same.
    tx.send(b"a longer one").await.expect("send");
    let error = rx.recv(&mut bytes[..2]).await.expect_err("too small");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(rx.recv(&mut bytes).await.expect("it stayed"), 12);
}

#[tokio::test]
async fn messages_that_came_together_are_received_without_new_readiness() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let rx = Async::new(rx.framed()).expect("registered");
    let tx = tx.framed();
    for number in 0..100u8 {
        tx.send(&[number]).expect("room");
    }
    let mut bytes = [0; 4];
    for number in 0..100u8 {
        assert_eq!(rx.recv(&mut bytes).await.expect("it is there"), 1);
        assert_eq!(bytes[0], number);
    }
}

#[tokio::test]
async fn the_end_ends_every_wait() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let rx = Async::new(rx).expect("registered");
    let waiting = tokio::spawn(async move { rx.recv(&mut [0; 4]).await });
    tokio::task::yield_now().await;
    drop(tx);
    let outcome = waiting.await.expect("no panic");
    assert_eq!(outcome.expect_err("the end").kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_killed_peer_ends_every_wait() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let (full, full_rx) = ipc_pipe::pair().expect("a pipe");
    let holder = Role::new("hold")
        .descriptor(&tx)
        .descriptor(&full_rx)
        .spawn_holding();
    drop((tx, full_rx));
    while full.try_send(&[0; 4096]).is_ok() {}
    let rx = Async::new(rx).expect("registered");
    let full = Async::new(full).expect("registered");
    let receiving = tokio::spawn(async move { rx.recv(&mut [0; 4]).await.map(drop) });
    let sending = tokio::spawn(async move { full.send(&[0; 4096]).await });
    tokio::task::yield_now().await;
    holder.kill();
    for waiting in [receiving, sending] {
        let outcome = waiting.await.expect("no panic");
        assert_eq!(outcome.expect_err("dead").kind(), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn a_fifo_is_awaited_before_its_first_sender_comes() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let fifo = ipc_pipe::create(dir.join("fifo")).expect("a FIFO");
    let rx = Async::new(fifo.receiver().expect("at once")).expect("registered");
    let waiting = tokio::spawn(async move {
        let mut bytes = [0; 16];
        let length = rx.recv(&mut bytes).await.expect("it waited");
        (
            length,
            rx.recv(&mut bytes).await.expect_err("it left").kind(),
        )
    });
    tokio::task::yield_now().await;
    let tx = fifo.try_sender().expect("a receiver is there");
    tx.send(b"hello").expect("send");
    drop(tx);
    assert_eq!(waiting.await.expect("no panic"), (5, ErrorKind::Closed));
}

#[tokio::test]
async fn any_try_form_can_be_awaited() {
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let rx = Async::new(Framed::new(rx)).expect("registered");
    tx.framed().send(b"whole").expect("send");
    let mut message = Vec::new();
    rx.ready(Interest::Read, |rx| rx.try_recv_vec(&mut message))
        .await
        .expect("a message");
    assert_eq!(message, b"whole");
}

#[test]
fn outside_a_runtime_it_is_an_error_and_no_panic() {
    let (_tx, rx) = ipc_pipe::pair().expect("a pipe");
    let error = Async::new(rx).expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[test]
fn nothing_is_left_behind_and_no_thread_is_started() {
    isolated!({
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let before = ipc_testkit::Snapshot::take();
        runtime.block_on(async {
            for _ in 0..100 {
                let (left, right) = ipc_pipe::duplex().expect("two pipes");
                let left = Async::new(left).expect("registered");
                let right = Async::new(right).expect("registered");
                left.send(b"x").await.expect("send");
                assert_eq!(right.recv(&mut [0; 4]).await.expect("it came"), 1);
                let left = left.into_inner().expect("nothing is owed");
                left.send(b"y").expect("an ordinary endpoint again");
                assert_eq!(right.recv(&mut [0; 4]).await.expect("it came"), 1);
                // The same descriptor can be registered anew.
                let left = Async::new(left).expect("registered");
                left.send(b"z").await.expect("send");
            }
        });
        before.assert_unchanged();
        // Built with its feature `signal`, which a neighbour in the workspace may ask for, tokio
        // keeps two descriptors for good from its first runtime on: what is ours was compared.
        std::process::exit(ipc_testkit::DONE);
    });
}
