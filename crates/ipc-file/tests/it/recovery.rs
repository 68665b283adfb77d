//! Logs that were left torn, cut, damaged or foreign: what is lost is said, and nothing else is.

use ipc_file::{ErrorKind, follow, open_log};
use ipc_testkit::TempDir;
use std::path::Path;

/// Where records begin.
const RECORDS_AT: usize = 96;

/// A log of three records of 32 bytes each, closed.
fn three(path: &Path) -> Vec<u8> {
    let log = open_log(path).expect("a log");
    log.append_all(&[b"one", b"two", b"three"]).expect("room");
    drop(log);
    // Opened again: its state says how far it is durable.
    drop(open_log(path).expect("the same"));
    std::fs::read(path).expect("ours")
}

/// What a reader gives, `None` where it says that something is lost.
fn read(path: &Path) -> Vec<Option<String>> {
    let reader = follow(path).expect("a reader");
    let (mut all, mut record) = (Vec::new(), Vec::new());
    loop {
        match reader.try_recv_vec(&mut record) {
            Ok(()) => all.push(Some(String::from_utf8(record.clone()).expect("ours"))),
            Err(error) if error.kind() == ErrorKind::Corrupt => all.push(None),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                return all;
            }
        }
    }
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn a_record_that_its_writer_did_not_finish_is_cut_off_by_the_next_one() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let whole = three(&path);
    open_log(&path)
        .expect("a log")
        .append(b"four")
        .expect("room");
    let four = std::fs::read(&path).expect("ours");
    for end in whole.len() + 1..four.len() {
        // As durable as three records: the state of the shorter file, the bytes of the longer.
        let torn = [&whole[..], &four[whole.len()..end]].concat();
        std::fs::write(&path, &torn).expect("ours");
        assert_eq!(read(&path), some(&["one", "two", "three"]), "cut at {end}");
        let log = open_log(&path).expect("recovered");
        assert_eq!(log.recovery().torn_bytes, (end - whole.len()) as u64);
        assert_eq!(log.recovery().damaged, []);
        log.append(b"five").expect("room");
        assert_eq!(read(&path), some(&["one", "two", "three", "five"]));
    }
}

#[test]
fn a_live_writer_cuts_off_what_another_left_and_goes_on() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let whole = three(&path);
    let log = open_log(&path).expect("a log");
    let reader = follow(&path).expect("a reader");
    let other = open_log(&path).expect("the same");
    other.append(b"more").expect("room");
    drop(other);
    // The first half of that record, as a killed writer leaves it.
    let more = std::fs::read(&path).expect("ours");
    let torn = &more[..whole.len() + 20];
    std::fs::write(&path, [&whole[..], &torn[whole.len()..]].concat()).expect("ours");
    log.append(b"four").expect("room");
    assert_eq!(read(&path), some(&["one", "two", "three", "four"]));
    let mut buffer = [0; 16];
    for length in [3, 3, 5, 4] {
        assert_eq!(reader.try_recv(&mut buffer).expect("there"), length);
    }
}

#[test]
fn what_was_acknowledged_and_is_cut_off_is_said_by_reader_and_writer() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let whole = three(&path);
    for end in RECORDS_AT..whole.len() {
        std::fs::write(&path, &whole[..end]).expect("ours");
        let kept = (end - RECORDS_AT) / 32;
        let mut expected = some(&["one", "two", "three"][..kept]);
        expected.push(None);
        assert_eq!(read(&path), expected, "cut at {end}");
        let log = open_log(&path).expect("a log");
        assert_eq!(log.recovery().missing_bytes, (whole.len() - end) as u64);
        log.append(b"new").expect("room");
        assert_eq!(read(&path).last(), Some(&Some("new".to_owned())));
    }
}

#[test]
fn damage_in_the_middle_costs_one_record() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let whole = three(&path);
    for at in RECORDS_AT + 32..RECORDS_AT + 64 {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x10;
        std::fs::write(&path, &spoilt).expect("ours");
        let expected = vec![Some("one".to_owned()), None, Some("three".to_owned())];
        assert_eq!(read(&path), expected, "byte {at}");
        open_log(&path)
            .expect("a log")
            .append(b"four")
            .expect("room");
        assert_eq!(read(&path)[..3], expected, "after a start");
    }
}

#[test]
fn damage_in_the_last_record_is_not_taken_for_a_torn_one() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let whole = three(&path);
    for at in RECORDS_AT + 64..whole.len() {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x01;
        std::fs::write(&path, &spoilt).expect("ours");
        let expected = vec![Some("one".to_owned()), Some("two".to_owned()), None];
        assert_eq!(read(&path), expected, "byte {at}");
        let log = open_log(&path).expect("a log");
        assert_eq!(log.recovery().torn_bytes, 0);
        log.append(b"four").expect("room");
        let after = read(&path);
        assert_eq!((&after[..3], after.len()), (&expected[..], 4));
    }
}

#[test]
fn a_copy_of_the_header_serves_where_the_other_is_damaged() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let whole = three(&path);
    for at in 0..RECORDS_AT {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 0x80;
        std::fs::write(&path, &spoilt).expect("ours");
        assert_eq!(read(&path), some(&["one", "two", "three"]), "byte {at}");
        let log = open_log(&path).expect("a log");
        assert!(log.recovery().header_repaired, "byte {at}");
        drop(log);
        assert_eq!(std::fs::read(&path).expect("ours"), whole, "repaired");
    }
}

#[test]
fn what_is_no_log_is_refused_and_not_touched() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let whole = three(&path);
    let mut version = whole.clone();
    let mut order = whole.clone();
    for copy in [0, 32] {
        for (bytes, at, to) in [(&mut version, 8, 2), (&mut order, 12, 1)] {
            bytes[copy + at] = to;
            let sum = crc32c::crc32c(&bytes[copy..copy + 28]);
            bytes[copy + 28..copy + 32].copy_from_slice(&sum.to_le_bytes());
        }
    }
    for content in [
        &b""[..],
        b"ipc-log",
        b"a letter\n",
        &[0; 200],
        &[0xff; 200],
        &version,
        &order,
    ] {
        std::fs::write(&path, content).expect("ours");
        assert_eq!(
            open_log(&path).expect_err("no log").kind(),
            ErrorKind::Corrupt
        );
        assert_eq!(
            follow(&path).expect_err("no log").kind(),
            ErrorKind::Corrupt
        );
        assert_eq!(std::fs::read(&path).expect("ours"), content);
    }
    std::fs::write(&path, &version).expect("ours");
    let text = open_log(&path).expect_err("newer").to_string();
    assert!(text.contains("version 2"), "{text}");
}

#[test]
fn a_log_inside_a_record_is_never_taken_for_records() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let inner = three(&dir.join("inner"));
    let log = open_log(&path).expect("a log");
    log.append(&inner).expect("room");
    // A record of this very log, in another place of it.
    let own = std::fs::read(&path).expect("ours");
    log.append(&own[RECORDS_AT..]).expect("room");
    log.append(b"last").expect("room");
    drop(log);
    drop(open_log(&path).expect("the same"));
    let mut bytes = std::fs::read(&path).expect("ours");
    let second = own.len();
    for at in [RECORDS_AT + 4, second + 12] {
        bytes[at] ^= 1;
    }
    std::fs::write(&path, &bytes).expect("ours");
    assert_eq!(read(&path), [None, Some("last".to_owned())]);
}
