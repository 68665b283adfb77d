//! The tests of ipc-async, one file per question.

mod cancelled;
mod fairness;
mod idle;
mod many_at_once;
mod more_verbs;
mod polls;
mod runtimes;
mod sockets;
mod tails;
mod tokio_streams;
mod verbs;
mod wait_set;

ipc_testkit::roles! {
    "client" => sockets::connect_and_wait,
    "ring sender" => wait_set::send_into_a_ring,
}

/// A broadcast and its one reader, who come to each other.
fn broadcast() -> (ipc_ring::Broadcaster, ipc_ring::Subscriber) {
    let broadcaster = ipc_ring::Options::new().broadcast().expect("memory");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("sockets");
    let subscriber = std::thread::scope(|scope| {
        let joining = scope.spawn(|| ipc_ring::Options::new().subscribe_over(theirs));
        broadcaster.add(ours).expect("it comes");
        joining.join().expect("no panic").expect("it is taken in")
    });
    (broadcaster, subscriber)
}

/// Both ends of a stream through shared memory.
fn ring_streams() -> (ipc_ring::Stream, ipc_ring::Stream) {
    let (left, right) = ipc_uds::pair_seqpacket().expect("sockets");
    let options = ipc_ring::Options::new();
    let (left, right) = (options.begin(left), options.begin(right));
    let halves = [left, right].map(|half| half.expect("a half"));
    for half in &halves {
        half.finish().expect("the other is there");
    }
    let [left, right] = halves.map(|half| half.channel().expect("both").stream());
    (left, right)
}
