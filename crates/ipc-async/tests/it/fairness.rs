//! An endpoint that is always ready keeps no other from its turn.

use ipc_async::{Async, Interest, Runtime, Smol, Tokio};
use ipc_core::{TryRecv, TrySend};
use ipc_testkit::{TempDir, watchdog};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// A task that waits for what is there already; whether it has had its turn.
fn patient<R: Runtime>(runtime: &R) -> Arc<AtomicBool> {
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let patient = Async::on(runtime.clone(), rx).expect("registered");
    let heard = Arc::new(AtomicBool::new(false));
    let hearing = Arc::clone(&heard);
    runtime.spawn(async move {
        assert_eq!(patient.recv(&mut [0; 8]).await.expect("a message"), 1);
        hearing.store(true, Ordering::SeqCst);
    });
    tx.send(b"x").expect("a reader");
    heard
}

/// One task sends to itself, and so never waits, until the other has received what another task
/// sends.
async fn busy_and_patient<R: Runtime>(runtime: R) {
    for ring in [false, true] {
        let heard = patient(&runtime);
        let mut bytes = [0; 8];
        if ring {
            let (tx, rx) = ipc_ring::pair().expect("a ring");
            let tx = Async::on(runtime.clone(), tx).expect("registered");
            let rx = Async::on(runtime.clone(), rx).expect("registered");
            while !heard.load(Ordering::SeqCst) {
                tx.send(b"y").await.expect("a receiver");
                rx.recv(&mut bytes).await.expect("a message");
            }
        } else {
            let (tx, rx) = ipc_uds::pair().expect("sockets");
            let tx = Async::on(runtime.clone(), tx).expect("registered");
            let rx = Async::on(runtime.clone(), rx).expect("registered");
            while !heard.load(Ordering::SeqCst) {
                tx.send(b"y").await.expect("a receiver");
                rx.recv(&mut bytes).await.expect("a message");
            }
        }
    }
}

/// The same of one who sends to an address.
async fn addressed_and_patient<R: Runtime>(runtime: R) {
    let directory = TempDir::new();
    let heard = patient(&runtime);
    let far = ipc_uds::bind_datagram(directory.join("far")).expect("bound");
    let near = ipc_uds::Options::new().datagram().expect("a socket");
    let near = Async::on(runtime, near).expect("registered");
    let address = far.address().expect("named");
    while !heard.load(Ordering::SeqCst) {
        near.send_to(b"y", &address).await.expect("a receiver");
        far.try_recv(&mut [0; 8]).expect("it was sent");
    }
}

#[test]
fn who_never_waits_starves_nobody() {
    let _watchdog = watchdog(PATIENCE);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    tokio.expect("a runtime").block_on(async {
        busy_and_patient(Tokio).await;
        addressed_and_patient(Tokio).await;
        polled_and_patient(Tokio, ipc_uds::pair().expect("sockets")).await;
        polled_and_patient(Tokio, crate::ring_streams()).await;
    });
    let executor = Arc::new(async_executor::Executor::new());
    let smol = Smol::new(Arc::clone(&executor));
    async_io::block_on(executor.run(async {
        busy_and_patient(smol.clone()).await;
        addressed_and_patient(smol.clone()).await;
        polled_and_patient(smol.clone(), ipc_uds::pair().expect("sockets")).await;
        polled_and_patient(smol, crate::ring_streams()).await;
    }));
}

/// Sends by a poll function, as a protocol does, and receives at the other end itself, until
/// another task has had its turn.
async fn polled_and_patient<R: Runtime, T>(runtime: R, (near, far): (T, T))
where
    T: TryRecv + TrySend + Send + Sync + 'static,
{
    let near = Async::on(runtime.clone(), near).expect("registered");
    let heard = Arc::new(AtomicBool::new(false));
    let hearing = Arc::clone(&heard);
    runtime.spawn(async move { hearing.store(true, Ordering::SeqCst) });
    while !heard.load(Ordering::SeqCst) {
        let sent = poll_fn(|task| near.poll_ready(task, Interest::Write, |end| end.try_send(b"y")));
        sent.await.expect("a reader");
        assert_eq!(far.try_recv(&mut [0; 8]).expect("a byte"), 1);
    }
}

#[tokio::test]
async fn endpoints_under_load_have_equal_shares() {
    const ENDPOINTS: usize = 16;
    const MESSAGES: u64 = 20_000;
    let _watchdog = watchdog(PATIENCE);
    let received = Arc::new([const { std::sync::atomic::AtomicU64::new(0) }; ENDPOINTS]);
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for number in 0..ENDPOINTS {
        let (tx, rx) = ipc_uds::pair_seqpacket().expect("sockets");
        let tx = Async::new(tx).expect("registered");
        let rx = Async::new(rx).expect("registered");
        let (received, done) = (Arc::clone(&received), Arc::clone(&over));
        tasks.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) && tx.send(b"x").await.is_ok() {}
        }));
        let done = Arc::clone(&over);
        tasks.push(tokio::spawn(async move {
            let mut bytes = [0; 8];
            while !done.load(Ordering::Relaxed) && rx.recv(&mut bytes).await.is_ok() {
                let mine = received[number].fetch_add(1, Ordering::Relaxed) + 1;
                if mine == MESSAGES / ENDPOINTS as u64 * 2 {
                    done.store(true, Ordering::Relaxed);
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    // When the first has had twice its share of them all, the last has had half of it.
    let least = received
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .min();
    let share = MESSAGES / ENDPOINTS as u64;
    assert!(least.expect("some") >= share / 2, "{received:?}");
}
