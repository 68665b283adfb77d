//! Sleeps that end at a deadline, after so many that an end has descriptors for them.

use ipc_ring::{Channel, ErrorKind, Options, Spin};
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(5);
/// More than the sleeps after which the bell is read.
const ROUNDS: u64 = 200;

fn options() -> Options {
    let mut options = Options::new();
    options.spin(Spin::Never);
    options
}

/// A channel with another process that answers, each side having slept often.
fn used() -> (Channel, ipc_testkit::Child) {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = options().bind(&path).expect("bind");
    let child = Role::new("timed echo").argument(path.display()).spawn();
    let channel = listener.accept().expect("it comes");
    for number in 0..ROUNDS {
        ask(&channel, number);
    }
    (channel, child)
}

fn ask(channel: &Channel, number: u64) {
    channel.sender().send(&number.to_le_bytes()).expect("sent");
    let mut buffer = [0; 8];
    let receiver = channel.receiver();
    let len = receiver.recv_timeout(&mut buffer, PATIENCE);
    assert_eq!(len.expect("an answer"), 8);
    assert_eq!(u64::from_le_bytes(buffer), number);
}

pub(crate) fn echo(stage: Stage) {
    let channel = options().connect(stage.argument(0)).expect("it listens");
    let mut buffer = [0; 8];
    loop {
        match channel.receiver().recv_timeout(&mut buffer, PATIENCE) {
            Ok(len) => channel.sender().send(&buffer[..len]).expect("sent"),
            Err(error) => return assert_eq!(error.kind(), ErrorKind::Closed),
        }
    }
}

#[test]
fn a_deadline_ends_the_sleep_whichever_the_last_one_was() {
    let _watchdog = watchdog(PATIENCE);
    let (channel, child) = used();
    let mut buffer = [0; 8];
    for round in 0..40 {
        // An earlier one than the last, a later one again, and one that is over.
        for limit in [SOON, 2 * SOON, Duration::ZERO] {
            let begun = Instant::now();
            let error = channel.receiver().recv_timeout(&mut buffer, limit);
            assert_eq!(
                error.map_err(|error| error.kind()),
                Err(ErrorKind::TimedOut)
            );
            assert!(begun.elapsed() >= limit);
        }
        ask(&channel, round);
    }
    // Without one, what was rung for sleeps that had one disturbs nothing.
    for number in 0..ROUNDS {
        channel.sender().send(&number.to_le_bytes()).expect("sent");
        let len = channel.receiver().recv(&mut buffer);
        assert_eq!(len.expect("an answer"), 8);
        ask(&channel, number);
    }
    drop(channel);
    child.done();
}

#[test]
fn a_death_ends_sleeps_with_deadlines_and_every_later_one() {
    let _watchdog = watchdog(PATIENCE);
    let (channel, child) = used();
    let mut buffer = [0; 8];
    let receiver = channel.receiver();
    let error = std::thread::scope(|scope| {
        let waits = scope.spawn(|| receiver.recv_deadline(&mut buffer, Instant::now() + PATIENCE));
        child.kill();
        waits.join().expect("no panic").expect_err("nothing came")
    });
    assert_eq!(error.kind(), ErrorKind::PeerDied);
    for _ in 0..3 {
        let error = receiver.recv_timeout(&mut [0; 8], PATIENCE);
        let kind = error.map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::PeerDied));
    }
    child.wait_dead();
}

#[test]
fn what_sleeps_with_deadlines_take_is_given_back() {
    ipc_testkit::isolated!({
        let (channel, child) = used();
        drop(channel);
        child.done();
    });
}
