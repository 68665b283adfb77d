//! The same verbs with `.await`.

use ipc_async::Async;
use ipc_ring::Options;
use ipc_testkit::watchdog;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awaited_ends_lose_nothing_and_see_the_end() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = Options::new().capacity_messages(8).pair().expect("a pair");
    let (sender, receiver) = (
        Async::new(sender).expect("registered"),
        Async::new(receiver).expect("registered"),
    );
    let sending = tokio::spawn(async move {
        for number in 0..20_000_u64 {
            sender.send(&number.to_le_bytes()).await.expect("sent");
        }
    });
    let mut buffer = [0; 8];
    for number in 0..20_000_u64 {
        if number % 1_000 == 0 {
            // A cancelled wait takes no message.
            let cancelled = tokio::time::timeout(
                Duration::ZERO,
                receiver.ready(ipc_async::Interest::Read, |_| {
                    Err::<(), _>(ipc_core::Error::new(
                        "look",
                        ipc_core::ErrorKind::WouldBlock,
                    ))
                }),
            );
            assert!(cancelled.await.is_err());
        }
        assert_eq!(receiver.recv(&mut buffer).await.expect("a message"), 8);
        assert_eq!(u64::from_le_bytes(buffer), number);
    }
    sending.await.expect("no panic");
    let end = receiver.recv(&mut buffer).await.expect_err("the end");
    assert_eq!(end.kind(), ipc_ring::ErrorKind::Closed);
}
