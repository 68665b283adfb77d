//! Every re-export is there, under its name, with the features that ask for it.

#[cfg(feature = "rpc")]
mod calls;
mod tree;
mod words;

#[cfg(feature = "pipe")]
#[test]
fn pipes_are_here() {
    let (tx, rx) = ipc_facade::pipe::pair().expect("a pipe");
    tx.send(b"x").expect("send");
    assert_eq!(rx.recv(&mut [0; 4]).expect("it is there"), 1);
}

#[cfg(feature = "uds")]
#[test]
fn unix_sockets_are_here() {
    let (left, right) = ipc_facade::uds::pair().expect("sockets");
    left.send(b"x").expect("send");
    assert_eq!(right.recv(&mut [0; 4]).expect("it is there"), 1);
}

#[cfg(feature = "mq")]
#[test]
fn queues_are_here() {
    let queue = ipc_facade::mq::Options::new()
        .message_size_bytes(8)
        .create_unnamed();
    let queue = queue.expect("a queue");
    queue.send(b"x", 1).expect("room");
    assert_eq!(queue.recv(&mut [0; 8]).expect("it is there"), 1);
}

#[cfg(feature = "net")]
#[test]
fn network_sockets_are_here() {
    let (left, right) = ipc_facade::net::pair().expect("sockets");
    left.send(b"x").expect("send");
    assert_eq!(right.recv(&mut [0; 4]).expect("it is there"), 1);
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_here() {
    let error = ipc_facade::net::tls::Options::new()
        .client()
        .expect_err("it trusts nobody");
    assert_eq!(error.kind(), ipc_facade::ErrorKind::InvalidInput);
}

#[cfg(feature = "event")]
#[test]
fn events_are_here() {
    let event = ipc_facade::event::create().expect("an event");
    event.notify().expect("room");
    event.notify().expect("room");
    assert_eq!(event.wait().expect("it is there"), 2);
}

#[cfg(feature = "file")]
#[test]
fn files_are_here() {
    let dir = std::env::temp_dir().join(format!("ipc facade {}", std::process::id()));
    std::fs::create_dir(&dir).expect("a directory");
    let log = ipc_facade::file::open_log(dir.join("log")).expect("a log");
    log.append(b"x").expect("room");
    let reader = ipc_facade::file::follow(dir.join("log")).expect("a reader");
    assert_eq!(reader.recv(&mut [0; 4]).expect("it is there"), 1);
    drop(ipc_facade::file::open_lock(dir.join("lock")).expect("a lock"));
    std::fs::remove_dir_all(&dir).expect("ours");
}

#[cfg(feature = "signal")]
#[test]
fn signals_are_here() {
    use ipc_facade::signal::{Options, Signal, Target};
    let job = Signal::real_time(0).expect("the first");
    let receiver = Options::new().unchecked_threads(true).receiver(job);
    let receiver = receiver.expect("a receiver");
    Target::this_thread().notify_with(job, 7).expect("our own");
    assert_eq!(receiver.wait().expect("it is there").value(), Some(7));
}

#[cfg(feature = "shm")]
#[test]
fn regions_are_here() {
    let region = ipc_facade::shm::anonymous(4096).expect("memory");
    let same = ipc_facade::shm::Region::from_fd(region.to_fd().expect("a copy")).expect("ours");
    region.write_at(0, b"x").expect("inside");
    let mut byte = [0];
    same.read_at(0, &mut byte).expect("inside");
    assert_eq!(&byte, b"x");
}

#[cfg(feature = "sem")]
#[test]
fn locks_are_here() {
    let region = ipc_facade::shm::anonymous(4096).expect("memory");
    let mutex = ipc_facade::sem::Mutex::create_trusted(&region, 0, 1u32).expect("room");
    let guard = mutex.lock().expect("free");
    let held = mutex.try_lock().expect_err("this thread holds it");
    assert_eq!(held.kind(), ipc_facade::ErrorKind::Deadlock);
    assert_eq!(*guard, 1);
}

#[cfg(feature = "ring")]
#[test]
fn rings_are_here() {
    let (tx, rx) = ipc_facade::ring::pair().expect("memory");
    tx.send(b"x").expect("room");
    assert_eq!(rx.recv(&mut [0; 4]).expect("it is there"), 1);
}

#[cfg(feature = "ring")]
#[test]
fn a_ring_works_where_membarrier_is_forbidden() {
    ipc_testkit::isolated!({
        // As under a filter on system calls; before the first ring looks for it.
        ipc_testkit::deny(libc::SYS_membarrier, libc::EPERM);
        let (tx, rx) = ipc_facade::ring::pair().expect("memory");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..10_000u32 {
                    tx.send(&number.to_le_bytes()).expect("a receiver");
                }
            });
            for number in 0..10_000u32 {
                let mut bytes = [0; 4];
                rx.recv(&mut bytes).expect("a sender");
                assert_eq!(u32::from_le_bytes(bytes), number);
            }
        });
    });
}

#[cfg(feature = "default")]
#[test]
fn what_the_chooser_names_is_here() {
    use ipc_facade::{event, file, net, pipe, sem, shm, signal, uds};
    let _ = || {
        (
            net::connect("localhost:1"),
            net::bind_datagram("localhost:1"),
        )
    };
    let _ = (signal::shutdown, signal::Target::notify_with);
    let _: Option<signal::Child> = None;
    let _: Option<(
        file::Spool,
        file::Log,
        file::Document,
        file::Lock,
        file::Watch,
    )> = None;
    let _ = (pipe::pair, pipe::Options::record, event::create);
    let _ = (uds::pair, uds::Options::watch_peer);
    let _ = (shm::anonymous, sem::Semaphore::create_trusted);
    let _: Option<(sem::Barrier, sem::Once, sem::Condvar)> = None;
    let _: Option<(sem::posix::Semaphore, sem::sysv::Set)> = None;
    let _: Option<(sem::Mutex<u8>, sem::RwLock<u8>)> = None;
}

#[cfg(all(feature = "tokio", feature = "pipe"))]
#[test]
fn awaiting_is_here() {
    let (_tx, rx) = ipc_facade::pipe::pair().expect("a pipe");
    let error = ipc_facade::Async::new(rx).expect_err("no runtime here");
    assert_eq!(error.kind(), ipc_facade::ErrorKind::Unsupported);
}

#[cfg(feature = "pipe")]
#[test]
fn waiting_for_several_is_here_without_a_runtime() {
    let (tx, rx) = ipc_facade::pipe::pair().expect("a pipe");
    let set = ipc_facade::WaitSet::new();
    let entry: ipc_facade::WaitSetEntry = set.add(&rx, 7).expect("added");
    tx.send(b"x").expect("a reader");
    assert_eq!(set.wait().expect("a message"), 7);
    assert!(set.remove(entry));
}
