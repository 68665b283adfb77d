//! A connection over shared memory, awaited: who waits for room is woken for it.

use ipc_async::Async;
use ipc_core::{Interest, Pollable};
use rpc_testkit::shm;
use rpc_transport::Wire;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);
/// Many times what the channel holds.
const BYTES: usize = 1 << 20;

fn pair() -> (Wire, Wire) {
    let mut ring = ipc_ring::Options::new();
    ring.capacity_messages(2).capacity_bytes(16 << 10);
    shm::pair(&ring).expect("memory")
}

#[test]
fn much_goes_through_a_small_channel_both_ways_on_one_thread() {
    let _watchdog = ipc_testkit::watchdog(PATIENCE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (near, far) = pair();
        // Room shows as something to read: the other side tells of it.
        assert_eq!(near.shown_by(Interest::Write), Interest::Read);
        let back = tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(Async::new(far).expect("registered"));
            tokio::io::copy(&mut read, &mut write).await.expect("all");
        });
        let sent: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
        let (mut read, mut write) = tokio::io::split(Async::new(near).expect("registered"));
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            write.write_all(&sent).await.expect("it is read");
            write.shutdown().await.expect("the end");
        });
        let mut came = Vec::new();
        read.read_to_end(&mut came).await.expect("it ends");
        assert!(came == expected, "{} bytes came", came.len());
        writing.await.expect("no panic");
        back.abort();
    });
}
