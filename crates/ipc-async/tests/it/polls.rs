//! The forms for those who write poll functions.

use ipc_async::Async;
use ipc_core::{ByteSink, ErrorKind, Interest, Until};
use ipc_testkit::watchdog;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

#[tokio::test]
async fn who_polls_is_woken_for_bytes_for_room_and_for_the_end() {
    let _watchdog = watchdog(Duration::from_secs(60));
    let (left, right) = ipc_uds::pair().expect("a pair");
    let (left, right) = (
        Async::new(left).expect("ours"),
        Async::new(right).expect("ours"),
    );
    let chunk = vec![7; 64 << 10];
    let total = 64 * chunk.len();
    let writing = tokio::spawn(async move {
        let (mut sent, mut waits) = (0, 0);
        while sent < total {
            sent += poll_fn(|task| {
                let write = |stream: &ipc_uds::Stream| stream.write_until(&[], &chunk, Until::Now);
                let written = left.poll_ready(task, Interest::Write, write);
                waits += usize::from(written.is_pending());
                written
            })
            .await
            .expect("it is read");
        }
        (sent, waits)
    });
    let mut came = 0;
    let mut buffer = vec![0; 16 << 10];
    loop {
        match poll_fn(|task| right.poll_read(task, &mut buffer)).await {
            Ok(0) => break,
            Ok(length) => came += length,
            Err(error) => panic!("{error}"),
        }
    }
    let (sent, waits) = writing.await.expect("no panic");
    assert_eq!(came, sent);
    assert!(waits > 0, "the socket took all of it at once");
}

#[tokio::test]
async fn an_endpoint_that_waits_for_room_is_closed_when_it_is_dropped() {
    let _watchdog = watchdog(Duration::from_secs(60));
    let (left, right) = ipc_uds::pair().expect("a pair");
    let left = Async::new(left).expect("ours");
    let chunk = vec![7; 64 << 10];
    poll_fn(|task| {
        loop {
            let write = |stream: &ipc_uds::Stream| stream.write_until(&[], &chunk, Until::Now);
            match left.poll_ready(task, Interest::Write, write) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => return Poll::Ready(()),
            }
        }
    })
    .await;
    drop(left);
    let mut buffer = vec![0; 64 << 10];
    let right = Async::new(right).expect("ours");
    let end = loop {
        match right.recv(&mut buffer).await {
            Ok(0) => break ErrorKind::Closed,
            Ok(_) => {}
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(end, ErrorKind::Closed);
}
