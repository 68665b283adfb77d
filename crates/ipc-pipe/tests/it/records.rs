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

#[test]
fn a_stream_cannot_carry_records() {
    let error = Options::new()
        .record(true)
        .duplex()
        .expect_err("a stream is bytes");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
