//! The soak of ipc-file: records, work and documents of another process, and what grows meanwhile.

use ipc_core::ErrorKind;
use ipc_file::{Document, Log, Spool};
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use ipc_testkit::{Role, Stage, TempDir};
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[("appender", append), ("deliverer", deliver)],
        &[
            ("log", records_of_another_process),
            ("spool", work_of_another_process),
            ("churn", files_opened_and_closed),
        ],
    )
}

fn argument(stage: &Stage) -> u64 {
    stage.argument(0).parse().expect("a number")
}

fn append(stage: Stage) {
    let log = ipc_file::open_log(stage.argument(1)).expect("a log");
    for sequence in 0..argument(&stage) {
        log.append(&soak::stamp(sequence)).expect("room");
    }
}

fn records_of_another_process(lab: &mut Lab) {
    let count = lab.count(2_000, 200_000, 2_000_000);
    let dir = TempDir::new();
    let path = dir.join("log");
    let log: Log = ipc_file::open_log(&path).expect("a log");
    let reader = log.reader().expect("a reader");
    let appender = Role::new("appender")
        .argument(count)
        .argument(path.display())
        .spawn();
    let what = "file: records of another process";
    soak::receive(lab, "S2", what, count, appender, |buffer| {
        reader.recv(buffer)
    });
}

fn deliver(stage: Stage) {
    let spool = ipc_file::open_spool(stage.argument(1)).expect("a spool");
    for sequence in 0..argument(&stage) {
        spool.deliver(&soak::stamp(sequence)).expect("room");
    }
}

fn work_of_another_process(lab: &mut Lab) {
    let count = lab.count(500, 50_000, 500_000);
    let dir = TempDir::new();
    let path = dir.join("spool");
    let spool: Spool = ipc_file::open_spool(&path).expect("a spool");
    let deliverer = Role::new("deliverer")
        .argument(count)
        .argument(path.display())
        .spawn();
    let what = "file: work of another process";
    soak::receive(lab, "S2", what, count, deliverer, |buffer| {
        let claim = spool.claim()?;
        let message = claim.read()?;
        let length = message.len().min(MESSAGE_BYTES);
        buffer[..length].copy_from_slice(&message[..length]);
        claim.finish()?;
        Ok::<_, ipc_file::Error>(message.len())
    });
}

fn files_opened_and_closed(lab: &mut Lab) {
    let count = lab.count(300, 10_000, 100_000);
    let dir = TempDir::new();
    let what = "file: documents, locks and logs opened and closed";
    soak::repeat(lab, "S4", what, count, |number| {
        let turn = || {
            let document: Document = ipc_file::open_document(dir.join("document"))?;
            document.replace(&soak::stamp(number))?;
            let lock = ipc_file::open_lock(dir.join("lock"))?;
            let guard = lock.lock()?;
            let second = ipc_file::open_lock(dir.join("lock"))?;
            let busy = second.try_lock().map(drop).map_err(|error| error.kind());
            drop(guard);
            let log = ipc_file::open_log(dir.join("log"))?;
            drop(log);
            let bytes = document.read()?;
            if busy != Err(ErrorKind::WouldBlock) {
                return Ok(Err(format!("a lock that is held was given: {busy:?}")));
            }
            Ok::<_, ipc_file::Error>(soak::check(number, &bytes))
        };
        turn().map_err(|error| error.to_string())?
    });
}
