//! The soak of ipc-ring: messages of another process, by copies and in place, channels made anew.

use ipc_ring::{Channel, Options};
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use ipc_testkit::{Child, Role, Stage};
use ipc_uds::SeqPacket;
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[
            ("messages", send_messages),
            ("loans", send_in_place),
            ("queued", send_queued),
        ],
        &[
            ("messages", messages_of_another_process),
            ("loans", loans_of_another_process),
            ("queued", queued_messages_of_another_process),
            ("churn", channels_made_and_dropped),
            ("members", members_that_come_and_go),
        ],
    )
}

fn met(stage: &mut Stage) -> (Channel, u64) {
    let count = stage.argument(0).parse().expect("a number");
    let socket = SeqPacket::from(stage.descriptor());
    let channel = Options::new().over(socket).expect("a channel");
    (channel, count)
}

fn with_another(role: &'static str, count: u64) -> (Channel, Child) {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let sender = Role::new(role).argument(count).descriptor(&theirs).spawn();
    drop(theirs);
    (Options::new().over(ours).expect("a channel"), sender)
}

fn send_messages(mut stage: Stage) {
    let (channel, count) = met(&mut stage);
    for sequence in 0..count {
        let sent = channel.sender().send(&soak::stamp(sequence));
        sent.expect("somebody reads");
    }
}

fn messages_of_another_process(lab: &mut Lab) {
    let count = lab.count(2_000_000, 1_000_000_000, 1_000_000_000);
    let (channel, sender) = with_another("messages", count);
    let what = "ring: messages of another process";
    soak::receive(lab, "S1", what, count, sender, |buffer| {
        channel.receiver().recv(buffer)
    });
}

fn send_in_place(mut stage: Stage) {
    let (channel, count) = met(&mut stage);
    for sequence in 0..count {
        let loan = channel.sender().loan(MESSAGE_BYTES * 9);
        let mut loan = loan.expect("somebody reads");
        let stamp = soak::stamp(sequence);
        (0..9).for_each(|_| loan.write(&stamp).expect("inside"));
        loan.send();
    }
}

fn loans_of_another_process(lab: &mut Lab) {
    let count = lab.count(500_000, 100_000_000, 1_000_000_000);
    let (channel, sender) = with_another("loans", count);
    let what = "ring: messages made and read in place";
    soak::receive(
        lab,
        "S1",
        what,
        count,
        sender,
        |buffer| -> ipc_ring::Result<usize> {
            let message = channel.receiver().recv_loan()?;
            let last = message.len() - MESSAGE_BYTES;
            message.read_at(last, buffer)?;
            Ok(buffer.len())
        },
    );
}

fn send_queued(mut stage: Stage) {
    let count: u64 = stage.argument(0).parse().expect("a number");
    let socket = SeqPacket::from(stage.descriptor());
    let socket_here = socket.try_clone().expect("a copy");
    let producer = Options::new().produce_over(socket).expect("a member");
    for sequence in 0..count {
        let sent = producer.send(&soak::stamp(sequence));
        sent.expect("somebody reads");
    }
    // Until all has been counted it stays, since who leaves takes a descriptor with it.
    let _ = socket_here.recv(&mut [0; 8]);
}

fn queued_messages_of_another_process(lab: &mut Lab) {
    let count = lab.count(1_000_000, 1_000_000_000, 1_000_000_000);
    let queue = Options::new().queue().expect("memory");
    let consumer = queue.consumer().expect("a seat");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let sender = Role::new("queued").argument(count);
    let sender = sender.descriptor(&theirs).spawn();
    drop(theirs);
    queue
        .add(ours.try_clone().expect("a copy"))
        .expect("it comes");
    let (what, mut buffer) = ("queue: messages of another process", [0; MESSAGE_BYTES]);
    soak::repeat(lab, "S1", what, count, |sequence| {
        let len = consumer
            .recv(&mut buffer)
            .map_err(|error| error.to_string())?;
        match buffer[..len] == soak::stamp(sequence) {
            true => Ok(()),
            false => Err(format!("{:?} is not message {sequence}", &buffer[..len])),
        }
    });
    drop(ours);
    sender.done();
}

fn members_that_come_and_go(lab: &mut Lab) {
    let count = lab.count(1_000, 100_000, 1_000_000);
    let queue = Options::new().queue().expect("memory");
    let idle = queue.consumer().expect("a seat");
    let what = "queue: members that come, send and go";
    soak::repeat(lab, "S4", what, count, |_| {
        let use_once = || {
            let (producer, consumer) = (queue.producer()?, queue.consumer()?);
            producer.send(b"ping")?;
            let len = consumer.recv(&mut [0; 8])?;
            drop((producer, consumer));
            Ok::<_, ipc_ring::Error>((len, idle.producers()?, queue.members()?))
        };
        match use_once() {
            Ok((4, 0, (0, 1))) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    drop(idle);
}

fn channels_made_and_dropped(lab: &mut Lab) {
    let count = lab.count(300, 10_000, 100_000);
    soak::repeat(lab, "S4", "ring: made, used and dropped", count, |_| {
        let use_once = || {
            let (sender, receiver) = ipc_ring::pair()?;
            sender.send(b"ping")?;
            receiver.recv(&mut [0; 8])
        };
        match use_once() {
            Ok(4) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
