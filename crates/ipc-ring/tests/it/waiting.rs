//! How a side waits: without any time, until what it waits for appears; chosen for each end.

use crate::broadcast::with_readers;
use crate::suite::channels;
use ipc_ring::WhenFull::{self, Block, DropNewest, DropOldest, Fail};
use ipc_ring::{
    Broadcaster, Caller, Channel, Consumer, Options, Producer, Receiver, Responder, Sender, Spin,
    Stream, Subscriber,
};
use ipc_testkit::watchdog;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing happens to who is at rest.
const REST: Duration = Duration::from_millis(40);

/// One that waits, in a thread of its own.
struct Waiting {
    name: String,
    thread: PathBuf,
    waits: JoinHandle<()>,
    /// Does what it waits for.
    wake: Box<dyn FnOnce()>,
}

impl Waiting {
    fn new(
        name: impl Into<String>,
        wait: impl FnOnce() + Send + 'static,
        wake: impl FnOnce() + 'static,
    ) -> Self {
        let (say, who) = mpsc::channel();
        let waits = spawn(move || {
            let link = std::fs::read_link("/proc/thread-self").expect("a thread of ours");
            say.send(link).expect("somebody listens");
            wait();
        });
        Self {
            name: name.into(),
            thread: Path::new("/proc").join(who.recv().expect("it runs")),
            waits,
            wake: Box::new(wake),
        }
    }

    /// How long it has run and how often, and whether it sleeps.
    fn state(&self) -> (String, bool) {
        let read = |name: &str| std::fs::read_to_string(self.thread.join(name)).expect("it lives");
        (read("schedstat"), read("stat").contains(") S "))
    }

    fn comes_to_rest(&self) {
        let mut before = self.state();
        loop {
            pause();
            let now = self.state();
            if now == before && now.1 {
                return;
            }
            before = now;
        }
    }

    fn goes_on(&self) {
        let before = self.state();
        while self.state().0 == before.0 {
            pause();
        }
        let later = self.state();
        while self.state().0 == later.0 {
            pause();
        }
    }

    fn wakes(self) {
        (self.wake)();
        assert!(self.waits.join().is_ok(), "{}", self.name);
    }
}

fn pause() {
    let begun = Instant::now();
    while begun.elapsed() < REST {
        std::thread::yield_now();
    }
}

fn small(when_full: WhenFull) -> Options {
    let mut options = Options::new();
    options.capacity_messages(2).capacity_bytes(128);
    options.when_full(when_full);
    options
}

fn pair(when_full: WhenFull) -> (Sender, Receiver) {
    small(when_full).pair().expect("a pair")
}

fn cast(when_full: WhenFull) -> (Broadcaster, Subscriber) {
    let (writer, mut readers) = with_readers(&small(when_full), 1);
    (writer, readers.pop().expect("one"))
}

fn queue(when_full: WhenFull) -> (Producer, Consumer) {
    let queue = small(when_full).queue().expect("memory");
    let ends = (queue.producer(), queue.consumer());
    (ends.0.expect("a seat"), ends.1.expect("a seat"))
}

/// A wait for a message, for every channel and each of its policies; where `how` is given, at an
/// end that is told so.
macro_rules! waits_for_a_message {
    ($make:ident, $policy:expr, $how:expr) => {{
        let (sends, mut receives) = $make($policy);
        if let Some(spin) = $how {
            receives.set_spin(spin);
        }
        let wait = move || assert!(receives.recv(&mut [0; 8]).is_ok());
        let name = format!("{} {:?}: a message", stringify!($make), $policy);
        Waiting::new(name, wait, move || sends.send(b"message").expect("sent"))
    }};
}

/// A wait for room, for every channel.
macro_rules! waits_for_room {
    ($make:ident, $how:expr) => {{
        let (mut sends, receives) = $make(Block);
        if let Some(spin) = $how {
            sends.set_spin(spin);
        }
        (0..2).for_each(|_| sends.send(b"before").expect("room"));
        let wait = move || sends.send(b"message").expect("room comes");
        let name = concat!(stringify!($make), ": room");
        Waiting::new(name, wait, move || {
            (0..3).for_each(|_| assert!(receives.recv(&mut [0; 8]).is_ok()));
        })
    }};
}

/// A wait at what holds both ends of a channel, and is told how.
macro_rules! waits_at_both_ends {
    ($name:literal, $how:expr, $kind:expr, $wait:expr, $other:expr, $wake:expr) => {{
        let (ours, theirs) = channels().expect("met");
        let mut ours = $kind(ours);
        ours.set_spin($how);
        let wait = move || $wait(&ours);
        let theirs = $other(theirs);
        Waiting::new($name, wait, move || $wake(&theirs))
    }};
}

fn in_a_channel(how: Spin) -> Waiting {
    waits_at_both_ends!(
        "a channel",
        how,
        |channel| channel,
        |ours: &Channel| assert!(ours.receiver().recv(&mut [0; 8]).is_ok()),
        |channel| channel,
        |theirs: &Channel| theirs.sender().send(b"message").expect("sent")
    )
}

fn in_a_stream(how: Spin) -> Waiting {
    waits_at_both_ends!(
        "a stream",
        how,
        Channel::stream,
        |ours: &Stream| assert!(ours.recv(&mut [0; 8]).is_ok()),
        Channel::stream,
        |theirs: &Stream| theirs.send(b"bytes").expect("sent")
    )
}

fn for_a_reply(how: Spin) -> Waiting {
    waits_at_both_ends!(
        "a reply",
        how,
        Channel::caller,
        |ours: &Caller| ours.call(b"request", &mut Vec::new()).expect("a reply"),
        Channel::responder,
        |theirs: &Responder| theirs.answer(|_, _| ()).expect("asked")
    )
}

fn for_a_request(how: Spin) -> Waiting {
    waits_at_both_ends!(
        "a request",
        how,
        Channel::responder,
        |ours: &Responder| ours.answer(|_, _| ()).expect("asked"),
        Channel::caller,
        |theirs: &Caller| theirs.call(b"request", &mut Vec::new()).expect("a reply")
    )
}

fn all(how: Option<Spin>) -> Vec<Waiting> {
    let mut all = vec![
        waits_for_room!(pair, how),
        waits_for_room!(cast, how),
        waits_for_room!(queue, how),
    ];
    for policy in [Block, Fail, DropNewest] {
        all.push(waits_for_a_message!(pair, policy, how));
    }
    for policy in [Block, Fail, DropNewest, DropOldest] {
        all.push(waits_for_a_message!(cast, policy, how));
        all.push(waits_for_a_message!(queue, policy, how));
    }
    all
}

#[test]
fn a_blocked_side_takes_no_time_and_wakes_when_a_message_or_room_appears() {
    let _watchdog = watchdog(PATIENCE);
    let waiting = all(None);
    assert_eq!(waiting.len(), 14);
    waiting.iter().for_each(Waiting::comes_to_rest);
    waiting.into_iter().for_each(Waiting::wakes);
}

#[test]
fn how_an_end_waits_is_chosen_for_each_and_can_be_changed() {
    let _watchdog = watchdog(PATIENCE);
    let mut never = all(Some(Spin::Never));
    let at_both_ends = [in_a_channel, in_a_stream, for_a_reply, for_a_request];
    never.extend(at_both_ends.map(|waits| waits(Spin::Never)));
    never.iter().for_each(Waiting::comes_to_rest);
    // One at a time: each has a processor of its own.
    let always: [fn() -> Waiting; 10] = [
        || waits_for_room!(pair, Some(Spin::Always)),
        || waits_for_room!(cast, Some(Spin::Always)),
        || waits_for_room!(queue, Some(Spin::Always)),
        || waits_for_a_message!(pair, Block, Some(Spin::Always)),
        || waits_for_a_message!(cast, Block, Some(Spin::Always)),
        || waits_for_a_message!(queue, Block, Some(Spin::Always)),
        || in_a_channel(Spin::Always),
        || in_a_stream(Spin::Always),
        || for_a_reply(Spin::Always),
        || for_a_request(Spin::Always),
    ];
    for spins in always {
        let spins = spins();
        spins.goes_on();
        spins.wakes();
    }
    never.into_iter().for_each(Waiting::wakes);
}

/// What a sleep at each end of a channel that runs out of time says that it was.
macro_rules! late {
    ($make:ident) => {{
        let (mut sends, mut receives) = $make(Block);
        sends.set_spin(Spin::Never);
        receives.set_spin(Spin::Never);
        let late = receives.recv_timeout(&mut [0; 8], REST).map(drop);
        (0..2).for_each(|_| sends.send(b"before").expect("room"));
        let full = sends.send_timeout(b"message", REST);
        [late, full].map(|outcome| outcome.expect_err("nothing came").to_string())
    }};
}

#[test]
fn who_slept_for_too_long_is_told_what_it_was_about() {
    let _watchdog = watchdog(PATIENCE);
    for said in [late!(pair), late!(cast), late!(queue)] {
        assert!(said[0].starts_with("recv: "), "{said:?}");
        assert!(said[1].starts_with("send: "), "{said:?}");
    }
}
