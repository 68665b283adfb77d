//! An await of what does not come costs nothing, whatever it waits for: no turns, no processor
//! time, no thread.

use ipc_async::{Async, Interest, Runtime, Smol, Tokio};
use ipc_core::{Pollable, TryAccept, TryWait};
use ipc_testkit::{TempDir, isolated, watchdog};
use rustix::time::{ClockId, clock_gettime};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
/// Long enough that one who spins is seen.
const QUIET: Duration = Duration::from_millis(300);
/// A runtime may say at first that all is ready, and an attempt finds that it is not.
const WAKES: usize = 3;

/// Wakes the test, and counts how often.
struct Counted {
    wakes: AtomicUsize,
    test: Mutex<Option<Waker>>,
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        if let Some(test) = &*self.test.lock().expect("no panic") {
            test.wake_by_ref();
        }
    }
}

struct Waiting {
    what: &'static str,
    wait: Pin<Box<dyn Future<Output = ()>>>,
    counted: Arc<Counted>,
    seen: Option<usize>,
}

/// Waits of every kind, and what must live meanwhile.
struct Waits<R: Runtime> {
    runtime: R,
    all: Vec<Waiting>,
    others: Vec<Box<dyn std::any::Any>>,
}

impl<R: Runtime> Waits<R> {
    fn add<T: Pollable + Send + Sync + 'static>(
        &mut self,
        what: &'static str,
        endpoint: T,
        interest: Interest,
        mut attempt: impl FnMut(&T) -> ipc_core::Result<()> + 'static,
    ) {
        let endpoint = Async::on(self.runtime.clone(), endpoint).expect("registered");
        let wait = async move {
            let outcome = endpoint.ready(interest, |end| attempt(end)).await;
            panic!("{what}: {outcome:?}");
        };
        self.all.push(Waiting {
            what,
            wait: Box::pin(wait),
            counted: Arc::new(Counted {
                wakes: AtomicUsize::new(0),
                test: Mutex::new(None),
            }),
            seen: None,
        });
    }

    fn receives<T: ipc_core::TryRecv + Send + Sync + 'static>(
        &mut self,
        what: &'static str,
        endpoint: T,
        other: impl std::any::Any,
    ) {
        self.others.push(Box::new(other));
        self.add(what, endpoint, Interest::Read, |endpoint| {
            endpoint.try_recv(&mut [0; 64]).map(drop)
        });
    }

    fn fill(&mut self) {
        let directory = TempDir::new();
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        self.receives("pipe", rx, tx);
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        self.receives("framed pipe", rx.framed(), tx);
        let fifo = ipc_pipe::create(directory.join("fifo")).expect("a FIFO");
        let rx = fifo.receiver().expect("a receiver");
        self.receives("FIFO without a sender", rx, fifo);
        let (left, right) = ipc_uds::pair().expect("sockets");
        self.receives("Unix stream", left, right);
        let (left, right) = ipc_uds::pair_seqpacket().expect("sockets");
        self.receives("seqpacket", left, right);
        let (left, right) = ipc_uds::pair_datagram().expect("sockets");
        self.receives("Unix datagram", left, right);
        let (left, right) = ipc_net::pair().expect("sockets");
        self.receives("TCP", left, right);
        let udp = ipc_net::bind_datagram("127.0.0.1:0").expect("a socket");
        self.receives("UDP", udp, ());
        let (tx, rx) = ipc_ring::pair().expect("a ring");
        self.receives("ring", rx, tx);
        let queue = ipc_ring::Options::new().queue().expect("a queue");
        let (tx, rx) = (queue.producer(), queue.consumer().expect("a consumer"));
        self.receives("queue of many", rx, (tx.expect("a producer"), queue));
        let (broadcaster, subscriber) = crate::broadcast();
        self.receives("broadcast", subscriber, broadcaster);
        let log = ipc_file::open_log(directory.join("log")).expect("a log");
        let reader = ipc_file::follow(directory.join("log")).expect("a reader");
        self.receives("log", reader, log);
        self.full();
        self.happenings(&directory);
        self.others.push(Box::new(directory));
    }

    /// Who waits for room.
    fn full(&mut self) {
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        while tx.try_send(&[0; 4096]).is_ok() {}
        self.others.push(Box::new(rx));
        self.add("full pipe", tx, Interest::Write, |tx| {
            tx.try_send(&[0; 4096])
        });
        let (tx, rx) = ipc_ring::pair().expect("a ring");
        while tx.try_send(b"x").is_ok() {}
        self.others.push(Box::new(rx));
        self.add("full ring", tx, Interest::Write, |tx| tx.try_send(b"x"));
        let (tx, rx) = ipc_uds::pair_seqpacket().expect("sockets");
        while tx.try_send(&[0; 4096]).is_ok() {}
        self.others.push(Box::new(rx));
        self.add("full seqpacket", tx, Interest::Write, |tx| {
            tx.try_send(&[0; 4096])
        });
    }

    /// Who waits for something other than bytes.
    fn happenings(&mut self, directory: &TempDir) {
        let listener = ipc_uds::bind(directory.join("socket")).expect("a listener");
        self.add("Unix listener", listener, Interest::Read, |end| {
            end.try_accept().map(drop)
        });
        let listener = ipc_net::bind("127.0.0.1:0").expect("a listener");
        self.add("TCP listener", listener, Interest::Read, |end| {
            TryAccept::try_accept(end).map(drop)
        });
        let mut options = ipc_mq::Options::new();
        options.max_messages(1).message_size_bytes(8);
        // A host may have none; the other tests say so.
        if let Ok(queue) = options.create_unnamed() {
            self.receives("POSIX queue", queue, ());
        }
        let event = ipc_event::create().expect("an event");
        self.add("event", event, Interest::Read, |end| {
            TryWait::try_wait(end).map(drop)
        });
        let signal = ipc_signal::Signal::real_time(1).expect("a signal");
        let mut options = ipc_signal::Options::new();
        let signals = options.unchecked_threads(true).receiver([signal]);
        let signals = signals.expect("a receiver");
        self.add("signal", signals, Interest::Read, |end| {
            TryWait::try_wait(end).map(drop)
        });
        let mut cat = Command::new("cat");
        let child = ipc_signal::Child::spawn(cat.stdin(Stdio::piped())).expect("a child");
        self.add("child", child, Interest::Read, |end| {
            TryWait::try_wait(end).map(drop)
        });
        let quiet = directory.join("quiet");
        std::fs::create_dir(&quiet).expect("ours");
        let watch = ipc_file::watch().expect("a watch");
        watch.add(&quiet).expect("a directory");
        self.add("file notification", watch, Interest::Read, |end| {
            end.try_recv().map(drop)
        });
        let spool = ipc_file::open_spool(directory.join("spool")).expect("a spool");
        self.add("spool", spool, Interest::Read, |end| {
            end.try_claim().map(drop)
        });
    }

    /// Polls who was woken; never ready.
    fn poll(&mut self, task: &Context<'_>) {
        for waiting in &mut self.all {
            *waiting.counted.test.lock().expect("no panic") = Some(task.waker().clone());
            let wakes = waiting.counted.wakes.load(Ordering::SeqCst);
            if waiting.seen == Some(wakes) {
                continue;
            }
            waiting.seen = Some(wakes);
            let waker = Waker::from(Arc::clone(&waiting.counted));
            let polled = waiting.wait.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending(), "{}: nothing came", waiting.what);
        }
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("proc").count()
}

/// The processor time of all threads.
fn burnt() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Waits for everything while `settled` and then `quiet` last.
async fn nothing_happens<R: Runtime>(
    runtime: R,
    settled: impl Future<Output = ()>,
    quiet: impl Future<Output = ()>,
) {
    let before = threads();
    let mut waits = Waits {
        runtime,
        all: Vec::new(),
        others: Vec::new(),
    };
    waits.fill();
    let mut settled = pin!(settled);
    poll_fn(|task| {
        waits.poll(task);
        settled.as_mut().poll(task)
    })
    .await;
    // One who looks for a while before it sleeps has done so by now.
    for waiting in &waits.all {
        waiting.counted.wakes.store(0, Ordering::SeqCst);
    }
    waits.all.iter_mut().for_each(|waiting| waiting.seen = None);
    let (start, spent) = (Instant::now(), burnt());
    let mut quiet = pin!(quiet);
    let mut turns = 0;
    poll_fn(|task| {
        turns += 1;
        waits.poll(task);
        match quiet.as_mut().poll(task) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    let (spent, took) = (burnt() - spent, start.elapsed());
    assert!(spent < took / 4, "{spent:?} of {took:?}");
    assert_eq!(threads(), before, "no thread helps");
    assert!(turns <= waits.all.len(), "{turns} turns");
    for waiting in &waits.all {
        let wakes = waiting.counted.wakes.load(Ordering::SeqCst);
        assert!(wakes <= WAKES, "{}: woken {wakes} times", waiting.what);
    }
}

#[test]
fn who_waits_for_nothing_does_nothing_on_tokio() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let sleep = |time| async move { tokio::time::sleep(time).await };
        let idle = nothing_happens(Tokio, sleep(QUIET / 10), sleep(QUIET));
        runtime.expect("a runtime").block_on(idle);
        std::process::exit(ipc_testkit::DONE);
    });
}

#[test]
fn who_waits_for_nothing_does_nothing_on_smol() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        // The reactor's own thread is there before anything is counted.
        async_io::block_on(async_io::Timer::after(Duration::ZERO));
        let executor = Arc::new(async_executor::Executor::new());
        let smol = Smol::new(Arc::clone(&executor));
        let sleep = |time| async move { _ = async_io::Timer::after(time).await };
        let idle = nothing_happens(smol, sleep(QUIET / 10), sleep(QUIET));
        async_io::block_on(executor.run(idle));
        std::process::exit(ipc_testkit::DONE);
    });
}
