//! Every kind of endpoint whose waits are cancelled.

use crate::cancels::{Block, happenings, inside, messages};
use ipc_async::{Async, Runtime};
use ipc_core::TryWait;
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::{TempDir, soak};
use std::os::unix::fs::FileExt;

/// Plays each kind on `runtime`.
pub(crate) fn each<R: Runtime>(lab: &mut Lab, runtime: &R, block: &mut Block<'_>) {
    pipes(lab, runtime, block);
    sockets(lab, runtime, block);
    memory(lab, runtime, block);
    queue(lab, runtime, block);
    notices(lab, runtime, block);
}

fn pipes<R: Runtime>(lab: &mut Lab, runtime: &R, block: &mut Block<'_>) {
    let mut records = ipc_pipe::Options::new();
    let pipe = records.record(true).pair().expect("a pipe");
    messages(lab, "pipe", runtime, pipe, block);
    let directory = TempDir::new();
    let fifo = ipc_pipe::create(directory.join("fifo")).expect("a FIFO");
    let receiver = fifo.receiver().expect("a receiver");
    let sender = fifo.sender().expect("a sender");
    let framed = (sender.framed(), receiver.framed());
    messages(lab, "framed FIFO", runtime, framed, block);
}

fn sockets<R: Runtime>(lab: &mut Lab, runtime: &R, block: &mut Block<'_>) {
    let sockets = ipc_uds::pair().expect("sockets");
    let framed = (sockets.0.framed(), sockets.1.framed());
    messages(lab, "framed Unix stream", runtime, framed, block);
    let sockets = ipc_uds::pair_seqpacket().expect("sockets");
    messages(lab, "seqpacket", runtime, sockets, block);
    let sockets = ipc_uds::pair_datagram().expect("sockets");
    messages(lab, "Unix datagram", runtime, sockets, block);
    let sockets = ipc_net::pair().expect("sockets");
    let framed = (sockets.0.framed(), sockets.1.framed());
    messages(lab, "framed TCP", runtime, framed, block);
    let receiver = ipc_net::bind_datagram("127.0.0.1:0").expect("a socket");
    let address = receiver.address().expect("bound");
    let sender = ipc_net::connect_datagram(address).expect("ours");
    messages(lab, "UDP", runtime, (sender, receiver), block);
}

fn memory<R: Runtime>(lab: &mut Lab, runtime: &R, block: &mut Block<'_>) {
    let ring = ipc_ring::pair().expect("a ring");
    messages(lab, "ring", runtime, ring, block);
    let queue = ipc_ring::Options::new().queue().expect("a queue");
    let producer = queue.producer().expect("one");
    let consumer = queue.consumer().expect("one");
    messages(lab, "queue of many", runtime, (producer, consumer), block);
    let broadcaster = ipc_ring::Options::new().broadcast().expect("memory");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("sockets");
    let subscriber = std::thread::scope(|scope| {
        let joining = scope.spawn(|| ipc_ring::Options::new().subscribe_over(theirs));
        broadcaster.add(ours).expect("it comes");
        joining.join().expect("no panic").expect("it is taken in")
    });
    let ends = (broadcaster, subscriber);
    messages(lab, "broadcast", runtime, ends, block);
}

fn queue<R: Runtime>(lab: &mut Lab, runtime: &R, block: &mut Block<'_>) {
    let mut options = ipc_mq::Options::new();
    options
        .max_messages(2)
        .message_size_bytes(soak::MESSAGE_BYTES);
    let queue = match options.create_unnamed() {
        Ok(queue) => queue,
        Err(error) => {
            let mut tally = Tally::new("A1", "POSIX queue: waits cancelled");
            tally.skip(error.to_string());
            return lab.enter(tally);
        }
    };
    let queue = inside(block, || {
        Async::on(runtime.clone(), queue).expect("registered")
    });
    let mut last = [0; soak::MESSAGE_BYTES];
    happenings(
        lab,
        "POSIX queue",
        &queue,
        block,
        |number| queue.get_ref().try_send(&soak::stamp(number), 0),
        |queue, number| {
            let (length, _) = queue.try_recv_with_priority(&mut last)?;
            Ok(soak::check(number, &last[..length]).is_ok())
        },
    );
}

fn notices<R: Runtime>(lab: &mut Lab, runtime: &R, block: &mut Block<'_>) {
    let event = ipc_event::create().expect("an event");
    let event = inside(block, || {
        Async::on(runtime.clone(), event).expect("registered")
    });
    let notify = |_| event.get_ref().notify();
    happenings(lab, "event", &event, block, notify, |event, _| {
        Ok(event.try_wait()? == 1)
    });
    let signal = ipc_signal::Signal::real_time(1).expect("a signal");
    let mut options = ipc_signal::Options::new();
    let receiver = options.unchecked_threads(true).receiver([signal]);
    let receiver = receiver.expect("a receiver");
    let signals = inside(block, || {
        Async::on(runtime.clone(), receiver).expect("registered")
    });
    let this = ipc_signal::Target::this_thread();
    let notify = |number| this.notify_with(signal, number as i32);
    happenings(lab, "signal", &signals, block, notify, |signals, number| {
        Ok(TryWait::try_wait(signals)?.value() == Some(number as i32))
    });
    let directory = TempDir::new();
    let file = std::fs::File::create(directory.join("file")).expect("ours");
    let watch = ipc_file::watch().expect("a watch");
    watch.add(directory.path()).expect("a directory");
    let watch = inside(block, || {
        Async::on(runtime.clone(), watch).expect("registered")
    });
    let change = |_| {
        file.write_all_at(b"x", 0).expect("ours");
        Ok(())
    };
    let what = "file notification";
    happenings(lab, what, &watch, block, change, |watch, _| {
        Ok(watch.try_recv()?.kind == ipc_file::ChangeKind::Modified)
    });
}
