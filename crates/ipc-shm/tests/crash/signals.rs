//! C7: making, opening and removing under a storm of signals.

use crate::object::{NAMED, Object};
use ipc_shm::{ErrorKind, Region};
use ipc_testkit::TempDir;
use ipc_testkit::crash::{Lab, Tally, calm_and_stormy};
use std::time::{Duration, Instant};

/// Large enough that the making takes a while: an opener waits for it, and is interrupted.
const BYTES: usize = 1 << 20;
const ROUNDS: u64 = 20;
/// A busy host is not a failure; one who waits so long does not wait for the other.
const PATIENCE: Duration = Duration::from_secs(60);

/// One makes, the other opens what is being made and answers in it; the numbers are the same.
pub(crate) fn change_nothing(lab: &mut Lab) {
    let dir = TempDir::new();
    for backing in NAMED {
        let what = format!("{backing}: make and open, 10,000 signals a second");
        let mut tally = Tally::new("C7", what);
        let time = Duration::from_millis(lab.count(500, 33_000, 200_000));
        let scene = || {
            let mut object = Object::new(backing, &dir);
            object.options.size_bytes(BYTES);
            object
        };
        calm_and_stormy(&mut tally, time, scene, |object, first| {
            let say = if first { make_all } else { open_all };
            say(object)
        });
        lab.enter(tally);
    }
}

fn make_all(object: &Object) -> u64 {
    let mut sum = 0;
    for round in 1..=ROUNDS {
        let region = object.options.create(&object.name).expect("free");
        region.write_at(0, &round.to_ne_bytes()).expect("inside");
        sum += await_number(&region, 8, round * 3);
        object.options.unlink(&object.name).expect("there");
        region.write_at(16, &round.to_ne_bytes()).expect("inside");
    }
    sum
}

fn open_all(object: &Object) -> u64 {
    let mut sum = 0;
    for round in 1..=ROUNDS {
        let region = loop {
            match object.options.open_timeout(&object.name, PATIENCE) {
                Ok(region) => break region,
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
            }
        };
        sum += await_number(&region, 0, round);
        region
            .write_at(8, &(round * 3).to_ne_bytes())
            .expect("inside");
        // Until the name is free: the next region is another.
        sum += await_number(&region, 16, round);
    }
    sum
}

fn await_number(region: &Region, offset: usize, wanted: u64) -> u64 {
    let patience = Instant::now() + PATIENCE;
    let mut bytes = [0; 8];
    loop {
        region.read_at(offset, &mut bytes).expect("inside");
        if u64::from_ne_bytes(bytes) == wanted {
            return wanted;
        }
        assert!(Instant::now() < patience, "{wanted} does not come");
        std::thread::yield_now();
    }
}
