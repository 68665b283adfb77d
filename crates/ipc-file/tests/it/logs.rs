//! The shared log: appended by many, durable, in order, followed.

use ipc_async::Async;
use ipc_core::{Interest, Pollable, Until};
use ipc_file::{ErrorKind, Options, follow, open_log};
use ipc_testkit::{Role, Stage, Storm, TempDir, allocations, watchdog};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

fn texts(reader: &ipc_file::Reader) -> Vec<String> {
    let mut all = Vec::new();
    let mut record = Vec::new();
    while reader.try_recv_vec(&mut record).is_ok() {
        all.push(String::from_utf8(record.clone()).expect("ours"));
    }
    all
}

#[test]
fn what_is_appended_is_read_in_order_and_again_after_a_new_start() {
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    log.append(b"one").expect("room");
    log.append(b"").expect("room");
    log.append_all(&[b"two", &[b'x'; 100_000]]).expect("room");
    drop(log);
    let log = open_log(dir.join("l")).expect("the same");
    assert_eq!(*log.recovery(), ipc_file::Recovery::default());
    log.append(b"three").expect("room");
    let reader = follow(dir.join("l")).expect("a reader");
    let all = texts(&reader);
    assert_eq!(all.len(), 5);
    assert_eq!(
        (all[0].as_str(), all[1].as_str(), all[2].as_str()),
        ("one", "", "two")
    );
    assert_eq!((all[3].len(), all[4].as_str()), (100_000, "three"));
    assert_eq!(texts(&log.reader().expect("a reader")), all);
}

#[test]
fn every_form_of_recv_receives_and_none_waits_too_short() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    let reader = follow(dir.join("l")).expect("a reader");
    let late = Instant::now() + PATIENCE;
    let mut bytes = [0; 8];
    for _ in 0..4 {
        log.append(b"12345").expect("room");
    }
    assert_eq!(reader.recv(&mut bytes).expect("there"), 5);
    assert_eq!(reader.try_recv(&mut bytes).expect("there"), 5);
    assert_eq!(
        reader
            .recv_timeout(&mut bytes, Duration::MAX)
            .expect("there"),
        5
    );
    assert_eq!(reader.recv_deadline(&mut bytes, late).expect("there"), 5);
    let nothing = reader.try_recv(&mut bytes).expect_err("nothing");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    let start = Instant::now();
    let nothing = reader.recv_timeout(&mut bytes, SHORT).expect_err("nothing");
    assert_eq!(nothing.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    let waited = reader.wait_ready(&[Interest::Read], Until::after(SHORT));
    assert_eq!(waited.expect_err("nothing").kind(), ErrorKind::TimedOut);
    log.append(b"x").expect("room");
    reader
        .wait_ready(&[Interest::Read], Until::Forever)
        .expect("there");
}

#[test]
fn a_record_that_does_not_fit_stays() {
    let dir = TempDir::new();
    let log = Options::new()
        .max_bytes(10)
        .open_log(dir.join("l"))
        .expect("a log");
    log.append(&[7; 10]).expect("the limit");
    let large = log.append(&[7; 11]).expect_err("one more");
    assert_eq!(large.kind(), ErrorKind::TooLarge);
    let reader = follow(dir.join("l")).expect("a reader");
    for _ in 0..2 {
        let small = reader.recv(&mut [0; 9]).expect_err("too small");
        assert_eq!(small.kind(), ErrorKind::TooLarge);
    }
    let mut record = Vec::new();
    reader.recv_vec(&mut record).expect("it is there");
    assert_eq!(record, [7; 10]);
}

#[test]
fn a_position_is_where_another_reader_goes_on() {
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    for text in ["one", "two", "three"] {
        log.append(text.as_bytes()).expect("room");
    }
    let first = follow(dir.join("l")).expect("a reader");
    first.recv(&mut [0; 8]).expect("one");
    let second = follow(dir.join("l")).expect("a reader");
    second.seek(first.position()).expect("a place");
    assert_eq!(texts(&second), ["two", "three"]);
    second.seek(0).expect("the first");
    assert_eq!(texts(&second).len(), 3);
    assert_eq!(
        second.seek(7).expect_err("odd").kind(),
        ErrorKind::InvalidInput
    );
}

/// Appends `count` records that say who and which.
pub(crate) fn append_some(stage: Stage) {
    let log = open_log(stage.argument(0)).expect("a log");
    let count: u64 = stage.argument(2).parse().expect("a number");
    let who = stage.argument(1);
    for number in 0..count {
        log.append(format!("{who} {number}").as_bytes())
            .expect("room");
    }
}

#[test]
fn a_follower_gets_all_that_processes_and_threads_append_each_in_order() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    let reader = follow(dir.join("l")).expect("a reader");
    let writers: Vec<_> = (0..3)
        .map(|who| {
            let role = Role::new("appender").argument(dir.join("l").display());
            role.argument(who).argument(100).spawn()
        })
        .collect();
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        for who in 3..6 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..100 {
                    log.append(format!("{who} {number}").as_bytes())
                        .expect("room");
                }
            });
        }
        let mut record = Vec::new();
        for _ in 0..600 {
            reader.recv_vec(&mut record).expect("it comes");
            let text = String::from_utf8(record.clone()).expect("ours");
            let (who, number) = text.split_once(' ').expect("two words");
            let (who, number): (u64, u64) = (who.parse().expect("who"), number.parse().expect("n"));
            assert_eq!(
                next.insert(who, number + 1).unwrap_or(0),
                number,
                "of {who}"
            );
        }
    });
    assert!(reader.try_recv(&mut [0; 64]).is_err());
    writers.into_iter().for_each(ipc_testkit::Child::done);
}

#[test]
fn a_follower_waits_through_a_storm_of_signals() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    let reader = follow(dir.join("l")).expect("a reader");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0u32..200 {
                log.append(&number.to_le_bytes()).expect("room");
            }
        });
        let storm = Storm::here();
        for number in 0u32..200 {
            let mut bytes = [0; 4];
            reader.recv(&mut bytes).expect("it comes");
            assert_eq!(u32::from_le_bytes(bytes), number);
        }
        assert!(storm.sent() > 0);
    });
}

#[test]
fn records_can_be_awaited_and_a_cancelled_wait_loses_none() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    let reader = follow(dir.join("l")).expect("a reader");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let reader = Async::new(reader).expect("a descriptor that can be watched");
        let writer = std::thread::spawn(move || {
            for number in 0u32..300 {
                log.append(&number.to_le_bytes()).expect("room");
            }
        });
        let mut bytes = [0; 4];
        let mut number = 0;
        while number < 300 {
            let wait = tokio::time::timeout(Duration::from_micros(50), reader.recv(&mut bytes));
            if let Ok(length) = wait.await {
                assert_eq!(length.expect("it comes"), 4);
                assert_eq!(u32::from_le_bytes(bytes), number);
                number += 1;
            }
        }
        writer.join().expect("it appends");
    });
}

#[test]
fn a_log_whose_name_is_gone_ends() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    log.append(b"last").expect("room");
    let reader = follow(dir.join("l")).expect("a reader");
    std::fs::remove_file(dir.join("l")).expect("ours");
    assert_eq!(reader.recv(&mut [0; 8]).expect("still there"), 4);
    let end = reader.recv(&mut [0; 8]).expect_err("the end");
    assert_eq!(end.kind(), ErrorKind::Closed);
}

#[test]
fn nobody_reads_what_is_not_there_yet() {
    let dir = TempDir::new();
    let error = follow(dir.join("l")).expect_err("no log");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    std::fs::write(dir.join("empty"), "").expect("ours");
    let error = follow(dir.join("empty")).expect_err("no log");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    open_log(dir.join("l"))
        .expect("made now")
        .append(b"x")
        .expect("room");
    assert_eq!(texts(&follow(dir.join("l")).expect("a log")), ["x"]);
}

#[test]
fn a_look_that_finds_nothing_allocates_nothing() {
    let dir = TempDir::new();
    let log = open_log(dir.join("l")).expect("a log");
    log.append(b"x").expect("room");
    let reader = follow(dir.join("l")).expect("a reader");
    reader.recv(&mut [0; 8]).expect("there");
    let _ = reader.try_recv(&mut [0; 8]);
    let count = allocations(|| {
        for _ in 0..100 {
            let nothing = reader.try_recv(&mut [0; 8]).expect_err("nothing");
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        }
    });
    assert_eq!(count, 0);
}
