//! How late a wait ends whose deadline has passed.

use ipc_async::WaitSet;
use ipc_core::Error;
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::{TempDir, soak};
use std::time::Instant;

/// Enters how late `wait` ends.
fn judge(lab: &mut Lab, what: &str, wait: impl FnMut(Instant) -> Result<(), Error>) {
    soak::overshoot(lab, "A3", what, wait);
}

pub(crate) fn overshoot(lab: &mut Lab) {
    sockets_and_pipes(lab);
    rings_and_locks(lab);
    files_and_events(lab);
    locks(lab);
    semaphores(lab);
    connects_and_children(lab);
    let set = WaitSet::<()>::new();
    judge(lab, "wait set", |deadline| {
        set.wait_deadline(deadline).map(drop)
    });
    let set = WaitSet::new();
    judge(lab, "wait set, timer", |deadline| {
        set.at(deadline, ())?;
        set.wait()?;
        Err(ipc_core::Until::At(deadline).over("wait"))
    });
}

fn sockets_and_pipes(lab: &mut Lab) {
    let bytes = &mut [0; 64];
    let (_tx, pipe) = ipc_pipe::pair().expect("a pipe");
    judge(lab, "pipe", |deadline| {
        pipe.recv_deadline(bytes, deadline).map(drop)
    });
    let (full, _rx) = ipc_pipe::pair().expect("a pipe");
    while full.try_send(&[0; 4096]).is_ok() {}
    judge(lab, "full pipe", |deadline| {
        full.send_deadline(&[0; 4096], deadline)
    });
    let (stream, _far) = ipc_uds::pair().expect("sockets");
    judge(lab, "Unix stream", |deadline| {
        stream.recv_deadline(bytes, deadline).map(drop)
    });
    let (packet, _far) = ipc_uds::pair_seqpacket().expect("sockets");
    judge(lab, "seqpacket", |deadline| {
        packet.recv_deadline(bytes, deadline).map(drop)
    });
    let (datagram, _far) = ipc_uds::pair_datagram().expect("sockets");
    judge(lab, "Unix datagram", |deadline| {
        datagram.recv_deadline(bytes, deadline).map(drop)
    });
    let directory = TempDir::new();
    let listener = ipc_uds::bind(directory.join("socket")).expect("a listener");
    judge(lab, "Unix listener", |deadline| {
        listener.accept_deadline(deadline).map(drop)
    });
    let (tcp, _far) = ipc_net::pair().expect("sockets");
    judge(lab, "TCP", |deadline| {
        tcp.recv_deadline(bytes, deadline).map(drop)
    });
    let udp = ipc_net::bind_datagram("127.0.0.1:0").expect("a socket");
    judge(lab, "UDP", |deadline| {
        udp.recv_deadline(bytes, deadline).map(drop)
    });
    let mut options = ipc_mq::Options::new();
    match options
        .max_messages(1)
        .message_size_bytes(64)
        .create_unnamed()
    {
        Ok(queue) => judge(lab, "POSIX queue", |deadline| {
            queue.recv_deadline(bytes, deadline).map(drop)
        }),
        Err(error) => {
            let mut tally = Tally::new("A3", "POSIX queue: p99 of the overshoot is at most 1 ms");
            tally.skip(error.to_string());
            lab.enter(tally);
        }
    }
}

fn rings_and_locks(lab: &mut Lab) {
    let bytes = &mut [0; 64];
    let (_tx, ring) = ipc_ring::pair().expect("a ring");
    judge(lab, "ring", |deadline| {
        ring.recv_deadline(bytes, deadline).map(drop)
    });
    let queue = ipc_ring::Options::new().queue().expect("a queue");
    let consumer = queue.consumer().expect("a consumer");
    judge(lab, "queue", |deadline| {
        consumer.recv_deadline(bytes, deadline).map(drop)
    });
    let producer = queue.producer().expect("a producer");
    while producer.try_send(b"x").is_ok() {}
    judge(lab, "full queue", |deadline| {
        producer.send_deadline(b"x", deadline)
    });
    let broadcaster = ipc_ring::Options::new().broadcast().expect("memory");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("sockets");
    let subscriber = std::thread::scope(|scope| {
        let joining = scope.spawn(|| ipc_ring::Options::new().subscribe_over(theirs));
        broadcaster.add(ours).expect("it comes");
        joining.join().expect("no panic").expect("it is taken in")
    });
    judge(lab, "subscriber", |deadline| {
        subscriber.recv_deadline(bytes, deadline).map(drop)
    });
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let semaphore = ipc_sem::Semaphore::create_trusted(&region, 0, 1).expect("a semaphore");
    let _permit = semaphore.acquire().expect("one");
    judge(lab, "semaphore", |deadline| {
        semaphore.acquire_deadline(deadline).map(drop)
    });
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let event = ipc_sem::Event::create_trusted(&region, 0).expect("an event");
    judge(lab, "event in a region", |deadline| {
        event.wait_deadline(deadline)
    });
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let mutex = ipc_sem::Mutex::create_trusted(&region, 0, 0_u64).expect("a mutex");
    std::thread::scope(|scope| {
        let (held, locked) = std::sync::mpsc::channel();
        let (done, over) = std::sync::mpsc::channel::<()>();
        let mutex = &mutex;
        scope.spawn(move || {
            let _guard = mutex.lock().expect("free");
            held.send(()).expect("awaited");
            let _ = over.recv();
        });
        locked.recv().expect("locked");
        judge(lab, "mutex", |deadline| {
            mutex.lock_deadline(deadline).map(drop)
        });
        drop(done);
    });
}

fn files_and_events(lab: &mut Lab) {
    let event = ipc_event::create().expect("an event");
    judge(lab, "event", |deadline| {
        event.wait_deadline(deadline).map(drop)
    });
    let signal = ipc_signal::Signal::real_time(2).expect("a signal");
    let mut options = ipc_signal::Options::new();
    let signals = options
        .unchecked_threads(true)
        .receiver([signal])
        .expect("a receiver");
    judge(lab, "signal", |deadline| {
        signals.wait_deadline(deadline).map(drop)
    });
    let directory = TempDir::new();
    let watch = ipc_file::watch().expect("a watch");
    watch.add(directory.path()).expect("a directory");
    judge(lab, "file notification", |deadline| {
        watch.recv_deadline(deadline).map(drop)
    });
    let spool = ipc_file::open_spool(directory.join("spool")).expect("a spool");
    while watch.try_recv().is_ok() {}
    judge(lab, "spool", |deadline| {
        spool.claim_deadline(deadline).map(drop)
    });
}

/// What another thread holds meanwhile.
fn locks(lab: &mut Lab) {
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let lock = ipc_sem::RwLock::create_trusted(&region, 0, 0_u64).expect("a lock");
    std::thread::scope(|scope| {
        let (held, locked) = std::sync::mpsc::channel();
        let (done, over) = std::sync::mpsc::channel::<()>();
        let lock = &lock;
        scope.spawn(move || {
            let _guard = lock.write().expect("free");
            held.send(()).expect("awaited");
            let _ = over.recv();
        });
        locked.recv().expect("locked");
        judge(lab, "read lock", |deadline| {
            lock.read_deadline(deadline).map(drop)
        });
        judge(lab, "write lock", |deadline| {
            lock.write_deadline(deadline).map(drop)
        });
        drop(done);
    });
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let mutex = ipc_sem::Mutex::create_trusted(&region, 0, 0_u64).expect("a mutex");
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let condvar = ipc_sem::Condvar::create_trusted(&region, 0).expect("a condition");
    let mut guard = mutex.lock().expect("free");
    judge(lab, "condition", |deadline| {
        condvar.wait_deadline(&mut guard, deadline)
    });
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let barrier = ipc_sem::Barrier::create_trusted(&region, 0, 2).expect("a barrier");
    judge(lab, "barrier", |deadline| {
        barrier.wait_deadline(deadline).map(drop)
    });
}

fn semaphores(lab: &mut Lab) {
    let region = ipc_shm::anonymous(1 << 16).expect("memory");
    let posix = ipc_sem::posix::Semaphore::create_trusted(&region, 0, 0).expect("a semaphore");
    judge(lab, "POSIX semaphore", |deadline| {
        posix.acquire_deadline(deadline)
    });
    match ipc_sem::sysv::Options::new().create_unnamed(&[0]) {
        Ok(set) => {
            let take = ipc_sem::sysv::Operation::take(0, 1).expect("one");
            judge(lab, "System V semaphore", |deadline| {
                set.apply_deadline(&[take], deadline)
            });
            set.remove().expect("ours");
        }
        Err(error) => {
            let what = "System V semaphore: p99 of the overshoot is at most 1 ms";
            let mut tally = Tally::new("A3", what);
            tally.skip(error.to_string());
            lab.enter(tally);
        }
    }
}

fn connects_and_children(lab: &mut Lab) {
    let directory = TempDir::new();
    let path = directory.join("socket");
    let mut options = ipc_uds::Options::new();
    let _listener = options.backlog(0).bind(&path).expect("a listener");
    let mut waiting = Vec::new();
    while let Ok(client) = ipc_uds::try_connect(&path) {
        waiting.push(client);
    }
    judge(lab, "Unix connect", |deadline| {
        ipc_uds::connect_deadline(&path, deadline).map(drop)
    });
    let log = ipc_file::open_log(directory.join("log")).expect("a log");
    let reader = ipc_file::follow(directory.join("log")).expect("a reader");
    judge(lab, "log reader", |deadline| {
        reader.recv_deadline(&mut [0; 64], deadline).map(drop)
    });
    drop(log);
    let mut cat = std::process::Command::new("cat");
    let cat = cat.stdin(std::process::Stdio::piped());
    let mut child = ipc_signal::Child::spawn(cat).expect("a child");
    judge(lab, "child", |deadline| {
        child.wait_deadline(deadline).map(drop)
    });
    drop(child.std_mut().stdin.take());
    child.wait().expect("its end");
    let shutdown = ipc_signal::Options::new()
        .unchecked_threads(true)
        .shutdown();
    let shutdown = shutdown.expect("a receiver");
    judge(lab, "request to end", |deadline| {
        shutdown.wait_deadline(deadline).map(drop)
    });
}
