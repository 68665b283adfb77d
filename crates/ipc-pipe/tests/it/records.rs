//! Records stay whole among many writers, and nothing else passes for one.

use ipc_pipe::{ErrorKind, MAX_RECORD_BYTES, Options, Sender};
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const WRITERS: usize = 16;
const ROUNDS: usize = 200;

/// The length of record `round`: each length up to the limit is used by somebody.
fn length(writer: usize, round: usize) -> usize {
    2 + (writer * 257 + round * 1009) % (MAX_RECORD_BYTES - 1)
}

pub(crate) fn write_records(stage: Stage) {
    let writer: usize = stage.argument(0).parse().expect("a number");
    let fifo = Options::new()
        .record(true)
        .open(stage.argument(1))
        .expect("the FIFO");
    let tx = fifo.sender().expect("a reader is there");
    send_records(&tx, writer);
}

fn send_records(tx: &Sender, writer: usize) {
    for round in 0..ROUNDS {
        let record = vec![writer as u8; length(writer, round)];
        match round % 2 {
            0 => tx.send(&record).expect("send"),
            _ => tx.send_timeout(&record, PATIENCE).expect("send"),
        }
    }
}

fn assert_all_whole(mut recv: impl FnMut(&mut [u8]) -> usize) {
    let mut seen = [0; WRITERS];
    let mut record = [0; MAX_RECORD_BYTES];
    for _ in 0..WRITERS * ROUNDS {
        let got = recv(&mut record);
        let writer = usize::from(record[0]);
        assert!(
            record[..got]
                .iter()
                .all(|byte| usize::from(*byte) == writer),
            "mingled"
        );
        assert_eq!(
            got,
            length(writer, seen[writer]),
            "writer {writer}, in its order"
        );
        seen[writer] += 1;
    }
}

#[test]
fn records_of_sixteen_processes_stay_whole_and_in_order() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("records");
    // On a busy host some are done before others begin: the FIFO outlives them.
    let mut options = Options::new();
    let fifo = options
        .record(true)
        .keep_open(true)
        .create(&path)
        .expect("a FIFO");
    let rx = fifo.receiver().expect("a receiver");
    let children: Vec<_> = (0..WRITERS)
        .map(|writer| {
            Role::new("record writer")
                .argument(writer)
                .argument(path.display())
                .spawn()
        })
        .collect();
    assert_all_whole(|record| rx.recv(record).expect("a record"));
    children.into_iter().for_each(ipc_testkit::Child::done);
    let rest = rx
        .try_recv(&mut [0; MAX_RECORD_BYTES])
        .expect_err("that was all");
    assert_eq!(rest.kind(), ErrorKind::WouldBlock);
}

#[test]
fn records_of_sixteen_threads_stay_whole_and_in_order() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = Options::new().record(true).pair().expect("a pipe");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let tx = &tx;
            scope.spawn(move || send_records(tx, writer));
        }
        assert_all_whole(|record| rx.recv_timeout(record, PATIENCE).expect("a record"));
    });
}

#[test]
fn every_length_up_to_the_limit_passes_and_the_next_is_refused() {
    let (tx, rx) = Options::new().record(true).pair().expect("a pipe");
    let bytes = [7; MAX_RECORD_BYTES + 1];
    let mut record = [0; MAX_RECORD_BYTES];
    for length in 1..=MAX_RECORD_BYTES {
        tx.try_send(&bytes[..length]).expect("room");
        assert_eq!(rx.try_recv(&mut record).expect("it is there"), length);
    }
    assert_eq!(MAX_RECORD_BYTES, 4096, "so many inputs");
    let error = tx.send(&bytes).expect_err("above PIPE_BUF");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().contains("4097") && error.to_string().contains("4096"),
        "{error}"
    );
    assert_eq!(
        tx.send(&[]).expect_err("empty").kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        rx.try_recv(&mut record).expect_err("nothing").kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn a_record_that_does_not_fit_stays_at_every_size_of_buffer() {
    let (tx, rx) = Options::new().record(true).pair().expect("a pipe");
    for length in [1, 2, 63, 64, 65, 4095, 4096] {
        for room in [0, 1, 62, 63, 64, 4094, 4095] {
            let record: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            tx.send(&record).expect("room");
            tx.send(b"behind").expect("room");
            let mut small = vec![0; room];
            match rx.recv(&mut small) {
                Ok(got) => {
                    assert!(got <= room);
                    assert_eq!(small[..got], record);
                }
                Err(error) => {
                    assert!(length > room);
                    assert_eq!(error.kind(), ErrorKind::TooLarge);
                    assert!(error.to_string().contains(&length.to_string()), "{error}");
                    let mut large = [0; MAX_RECORD_BYTES];
                    let got = rx.recv(&mut large).expect("it stayed");
                    assert_eq!(large[..got], record);
                }
            }
            let mut next = [0; 64];
            assert_eq!(rx.recv(&mut next).expect("the next"), 6);
        }
    }
}

#[test]
fn a_nearly_full_pipe_takes_a_record_whole_or_not_at_all() {
    for free_pages in 0..3 {
        let (tx, rx) = Options::new()
            .record(true)
            .capacity_bytes(16 * 4096)
            .pair()
            .expect("pipe");
        // A record takes a page, whatever its length.
        for _ in 0..16 - free_pages {
            tx.try_send(b"x").expect("room");
        }
        let mut taken = 0;
        while tx.try_send(&[1; MAX_RECORD_BYTES]).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, free_pages);
        let mut record = [0; MAX_RECORD_BYTES];
        for _ in 0..16 - free_pages {
            assert_eq!(rx.try_recv(&mut record).expect("it is there"), 1);
        }
        for _ in 0..taken {
            assert_eq!(
                rx.try_recv(&mut record).expect("it is there"),
                MAX_RECORD_BYTES
            );
        }
        assert_eq!(
            rx.try_recv(&mut record).expect_err("no more").kind(),
            ErrorKind::WouldBlock
        );
    }
}

/// How many writers are killed in the middle of writing.
pub(crate) const KILLS: usize = 100;

/// Writes records that say their own length into the FIFO of argument 0, for ever.
pub(crate) fn write_until_killed(stage: Stage) {
    let fifo = Options::new()
        .record(true)
        .open(stage.argument(0))
        .expect("the FIFO");
    let tx = fifo.sender().expect("a reader is there");
    let writer: usize = stage.argument(1).parse().expect("a number");
    for round in 0.. {
        let length = length(writer, round).max(4);
        let mut record = vec![writer as u8; length];
        record[..2].copy_from_slice(&(length as u16).to_le_bytes());
        tx.send(&record).expect("a reader is there");
    }
}

#[test]
fn a_record_of_a_killed_writer_is_whole_or_not_there() {
    const AT_ONCE: usize = 4;
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("records");
    let mut options = Options::new();
    options.record(true).keep_open(true);
    let fifo = options.create(&path).expect("a FIFO");
    let rx = fifo.receiver().expect("a receiver");
    let mut record = [0; MAX_RECORD_BYTES];
    let mut check = |timeout: Option<Duration>| -> ipc_pipe::Result<usize> {
        let got = match timeout {
            Some(timeout) => rx.recv_timeout(&mut record, timeout),
            None => rx.try_recv(&mut record),
        }?;
        let announced = usize::from(u16::from_le_bytes([record[0], record[1]]));
        assert_eq!(got, announced, "whole, and alone");
        assert!(
            record[3..got].iter().all(|byte| *byte == record[2]),
            "of one writer"
        );
        Ok(usize::from(record[2]))
    };
    // A fixed sequence, so that a failure comes again.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut killed = 0;
    let start = |writer: usize| {
        Role::new("endless writer")
            .argument(path.display())
            .argument(writer)
            .spawn()
    };
    let mut writers: Vec<_> = (0..AT_ONCE).map(start).collect();
    while killed < KILLS {
        // A writer is killed after a random number of records were seen, so at a random moment of
        // whatever it does; most of the time it waits inside its write for room.
        for _ in 0..next() % 300 {
            check(Some(PATIENCE)).expect("they write");
        }
        let victim = writers.remove((next() % AT_ONCE as u64) as usize);
        victim.kill();
        victim.wait();
        killed += 1;
        writers.push(start(AT_ONCE + killed));
    }
    for writer in &writers {
        writer.kill();
    }
    for writer in writers {
        writer.wait();
    }
    loop {
        match check(None) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
    }
}

#[test]
fn bytes_up_to_the_limit_go_out_whole_or_not_at_all_at_every_free_size() {
    const PAGE: usize = 4096;
    let mut options = Options::new();
    let (tx, rx) = options.capacity_bytes(2 * PAGE).pair().expect("a pipe");
    let mut drain = vec![0; 4 * PAGE];
    let mut inputs = 0;
    for free in 0..=2 * PAGE {
        for length in [free.clamp(1, PAGE), (free + 1).min(PAGE), PAGE] {
            // A pipe holds pages, so what is written in one piece leaves exactly this much room.
            let before = 2 * PAGE - free;
            if before > 0 {
                tx.try_send(&vec![1; before]).expect("it is empty");
            }
            let sent = tx.try_send(&vec![2; length]);
            let mut held = 0;
            while let Ok(read) = rx.try_recv(&mut drain[held..]) {
                held += read;
            }
            match sent {
                Ok(()) => assert_eq!(held, before + length, "whole, with {free} free"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    assert_eq!(held, before, "nothing of it, with {free} free");
                }
            }
            assert!(drain[..before].iter().all(|byte| *byte == 1));
            assert!(drain[before..held].iter().all(|byte| *byte == 2));
            tx.flush().expect("nothing is owed");
            inputs += 1;
        }
    }
    assert_eq!(inputs, 3 * (2 * PAGE + 1));
}

#[test]
fn a_stream_cannot_carry_records() {
    let error = Options::new()
        .record(true)
        .duplex()
        .expect_err("a stream is bytes");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
