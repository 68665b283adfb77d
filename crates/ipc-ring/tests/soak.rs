//! The soak of ipc-ring: messages of another process, by copies and in place, channels made anew.

use ipc_ring::{Channel, Options, Received, WhenFull};
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use ipc_testkit::{Child, Role, Stage};
use ipc_uds::SeqPacket;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    soak::run(
        &[
            ("messages", send_messages),
            ("loans", send_in_place),
            ("queued", send_queued),
            ("fast sender", send_fast),
            ("fast broadcaster", broadcast_fast),
        ],
        &[
            ("messages", messages_of_another_process),
            ("loans", loans_of_another_process),
            ("queued", queued_messages_of_another_process),
            ("churn", channels_made_and_dropped),
            ("members", members_that_come_and_go),
            ("meetings", channels_met_and_left),
            ("slow consumer", a_slow_consumer),
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

fn channels_met_and_left(lab: &mut Lab) {
    let count = lab.count(300, 100_000, 1_000_000);
    soak::repeat(lab, "S4", "ring: met, used and left", count, |_| {
        let meet = || {
            let (ours, theirs) = ipc_uds::pair_seqpacket()?;
            let other = std::thread::spawn(|| Options::new().capacity_bytes(4096).over(theirs));
            let ours = Options::new().capacity_bytes(4096).over(ours)?;
            let other = other.join().expect("no panic")?;
            other.sender().send(b"ping")?;
            ours.receiver().recv(&mut [0; 8])
        };
        match meet() {
            Ok(4) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// What a slow consumer may leave under way.
fn small(when_full: WhenFull) -> Options {
    let mut options = Options::new();
    options.capacity_messages(64).capacity_bytes(0);
    options.when_full(when_full);
    options
}

fn send_fast(mut stage: Stage) {
    let drops = stage.argument(0) == "drops";
    let socket = SeqPacket::from(stage.descriptor());
    let when_full = if drops {
        WhenFull::DropNewest
    } else {
        WhenFull::Block
    };
    let channel = small(when_full).over(socket).expect("a channel");
    (0_u64..).find(|number| channel.sender().send(&number.to_le_bytes()).is_err());
    assert!(
        !drops || channel.sender().dropped() > 0,
        "nothing was dropped"
    );
}

fn broadcast_fast(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let writer = small(WhenFull::DropOldest).broadcast().expect("memory");
    writer.add(socket).expect("it comes");
    for number in 0_u64.. {
        writer.send(&number.to_le_bytes()).expect("it drops");
        // It looks for its reader now and then, as a send that drops does not.
        if number % (1 << 20) == 0 && writer.readers().expect("counted") == 0 {
            return;
        }
    }
}

/// Of three fast senders, the one waits, the other drops what is new, the last what is old.
fn a_slow_consumer(lab: &mut Lab) {
    let turns = lab.count(20, 600, 3_600);
    let pace = Duration::from_millis(lab.count(20, 1_000, 1_000));
    let start = |role: &'static str, how: &str| {
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let child = Role::new(role).argument(how).descriptor(&theirs).spawn();
        (ours, child)
    };
    let (socket, waits) = start("fast sender", "waits");
    let held_back = small(WhenFull::Block).over(socket).expect("a channel");
    let (socket, drops) = start("fast sender", "drops");
    let thinned = small(WhenFull::Block).over(socket).expect("a channel");
    let (socket, casts) = start("fast broadcaster", "");
    let behind = Options::new().subscribe_over(socket).expect("taken in");
    let children = [waits.id(), drops.id(), casts.id()];
    let (mut last, mut before) = (None, None);
    soak::repeat(
        lab,
        "S6",
        "ring: one message a turn, three policies",
        turns,
        |turn| {
            // The pace of a slow consumer.
            std::thread::sleep(pace);
            let mut word = [0; 8];
            let received = |outcome: ipc_ring::Result<usize>| outcome.map_err(|e| e.to_string());
            received(held_back.receiver().recv(&mut word))?;
            if u64::from_le_bytes(word) != turn {
                return Err(format!("{} instead of {turn}", u64::from_le_bytes(word)));
            }
            received(thinned.receiver().recv(&mut word))?;
            let number = Some(u64::from_le_bytes(word));
            if number <= last {
                return Err(format!("{number:?} after {last:?}"));
            }
            last = number;
            while let Received::Missed(_) = behind.recv(&mut word).map_err(|e| e.to_string())? {}
            let memory: u64 = children.iter().map(|&id| resident_pages(id)).sum();
            if turn == turns / 10 {
                before = Some(memory);
            }
            match before.is_some_and(|before| memory > before + 256) {
                true => Err(format!("{memory} pages, {before:?} before")),
                false => Ok(()),
            }
        },
    );
    assert!(behind.missed() > 0, "it was as fast as the broadcaster");
    drop((held_back, thinned, behind));
    [waits, drops, casts].into_iter().for_each(Child::done);
}

fn resident_pages(id: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0)
}
