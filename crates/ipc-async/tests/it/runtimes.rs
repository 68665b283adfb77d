//! One program on two runtimes.

use ipc_async::{Async, ErrorKind, Runtime, Smol, Tokio};
use ipc_testkit::{isolated, watchdog};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// Talks over a pipe, a ring, descriptors and a full socket; returns what was received.
async fn program<R: Runtime>(runtime: R) -> Vec<u64> {
    let mut all = Vec::new();
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let (ring_tx, ring_rx) = ipc_ring::Options::new()
        .capacity_messages(8)
        .pair()
        .expect("a ring");
    let tx = Async::on(runtime.clone(), tx.framed()).expect("registered");
    let rx = Async::on(runtime.clone(), rx.framed()).expect("registered");
    let ring_tx = Async::on(runtime.clone(), ring_tx).expect("registered");
    let ring_rx = Async::on(runtime.clone(), ring_rx).expect("registered");
    // A task of the runtime sends into the ring what it receives from the pipe.
    let passing = runtime.spawn(async move {
        let mut bytes = [0; 8];
        while let Ok(length) = rx.recv(&mut bytes).await {
            ring_tx.send(&bytes[..length]).await.expect("a receiver");
        }
    });
    for number in 0..2_000_u64 {
        tx.send(&number.to_le_bytes()).await.expect("a reader");
        if number % 16 == 15 {
            let mut bytes = [0; 8];
            for _ in 0..16 {
                assert_eq!(ring_rx.recv(&mut bytes).await.expect("passed on"), 8);
                all.push(u64::from_le_bytes(bytes));
            }
        }
    }
    drop(tx);
    let end = ring_rx.recv(&mut [0; 8]).await.expect_err("the end");
    assert_eq!(end.kind(), ErrorKind::Closed);
    drop(passing);
    // A send that does not fit is finished by the runtime, though nobody awaits it.
    let (left, right) = ipc_uds::pair().expect("a pair");
    let left = Async::on(runtime.clone(), left).expect("registered");
    let right = Async::on(runtime.clone(), right).expect("registered");
    let null = std::fs::File::open("/dev/null").expect("a device");
    let large = vec![7; 1 << 20];
    left.send_with_fds(&large, &[null.as_fd()])
        .await
        .expect("begun");
    drop(left);
    let mut gifts = ipc_uds::Ancillary::new();
    let (mut came, mut bytes) = (0, vec![0; 1 << 16]);
    came += right
        .recv_with_fds(&mut bytes, &mut gifts)
        .await
        .expect("its beginning");
    assert_eq!(gifts.fds().len(), 1);
    while let Ok(length @ 1..) = right.recv(&mut bytes).await {
        came += length;
    }
    assert_eq!(came, large.len());
    // What blocks runs elsewhere.
    let directory = ipc_testkit::TempDir::new();
    let path = directory.join("socket");
    let listener = Async::on(runtime.clone(), ipc_uds::bind(&path).expect("bound"));
    let listener = listener.expect("registered");
    let client = Async::connect_on(runtime, move || ipc_uds::connect(&path)).await;
    let client = client.expect("connected");
    client.send(b"x").await.expect("sent");
    let server = listener.accept().await.expect("a client");
    assert_eq!(server.recv(&mut [0; 8]).expect("its word"), 1);
    all
}

#[test]
fn the_same_program_runs_on_tokio_and_on_smol() {
    let _watchdog = watchdog(PATIENCE);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let on_tokio = tokio.expect("a runtime").block_on(program(Tokio));
    let executor = Arc::new(async_executor::Executor::new());
    let smol = Smol::new(Arc::clone(&executor));
    let on_smol = async_io::block_on(executor.run(program(smol)));
    assert!(on_tokio.iter().copied().eq(0..2_000));
    assert_eq!(on_smol, on_tokio);
}

#[test]
fn an_endpoint_on_smol_starts_no_thread_but_the_reactors() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let threads = || std::fs::read_dir("/proc/self/task").expect("/proc").count();
        let before = threads();
        let executor = Arc::new(async_executor::Executor::new());
        let smol = Smol::new(Arc::clone(&executor));
        async_io::block_on(executor.run(async {
            for _ in 0..100 {
                let (tx, rx) = ipc_pipe::pair().expect("a pipe");
                let tx = Async::on(smol.clone(), tx).expect("registered");
                let rx = Async::on(smol.clone(), rx).expect("registered");
                tx.send(b"x").await.expect("a reader");
                assert_eq!(rx.recv(&mut [0; 4]).await.expect("it came"), 1);
                rx.into_inner()
                    .expect("nothing is owed")
                    .try_recv(&mut [0; 4])
                    .expect_err("empty");
            }
        }));
        // async-io has one thread for the whole process, however many endpoints there are.
        assert!(
            threads() <= before + 1,
            "{} threads more",
            threads() - before
        );
        std::process::exit(ipc_testkit::DONE);
    });
}
