//! R16: the Nth call of each kind fails, once or from then on; nobody is told that what is not
//! durable is, and what was told is there at the next start.

use crate::image::image;
use crate::imitation::{Call, Fault, Imitation};
use ipc_file::{ErrorKind, Options};
use ipc_testkit::crash::{Lab, Tally};
use std::path::Path;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Goes through all N of all kinds until no call is left to fail.
fn sweep(tally: &mut Tally, mut play: impl FnMut(Fault) -> Result<bool, String>) {
    for call in Call::ALL {
        for (errno, sticky) in [(EIO, false), (EIO, true), (ENOSPC, false), (ENOSPC, true)] {
            for nth in 1.. {
                let fault = Fault {
                    call,
                    nth,
                    sticky,
                    errno,
                };
                match play(fault) {
                    Ok(true) => tally.trial(Ok(())),
                    Ok(false) => break,
                    Err(failure) => tally.trial(Err(format!("{fault:?}: {failure}"))),
                }
            }
        }
    }
}

/// The disk as the next start finds it: with all that was not durable, or with none of it.
fn next_starts(disk: &Imitation) -> [Imitation; 2] {
    let base = Imitation::default();
    let ops = disk.ops();
    [
        image(&base, &ops, ops.len(), &mut |_| 0),
        image(&base, &ops, ops.len(), &mut |_| 1),
    ]
}

pub(crate) fn of_logs(lab: &mut Lab) {
    for shared in [false, true] {
        let what = format!("the Nth call fails: logs, shared {shared}");
        let mut tally = Tally::new("R16", what);
        sweep(&mut tally, |fault| {
            let mut disk = Imitation::default();
            disk.shared = shared;
            disk.fail(fault);
            let told = append_through(&disk, fault)?;
            let hit = disk.was_hit();
            disk.heal();
            for after in next_starts(&disk) {
                all_there(&after, &told)?;
            }
            Ok(hit)
        });
        lab.enter(tally);
    }
}

/// Appends six records, starting again where it is told to; which were acknowledged.
fn append_through(disk: &Imitation, fault: Fault) -> Result<Vec<u64>, String> {
    let mut told = Vec::new();
    let open = || Options::new().open_log_in(disk.vfs(), Path::new("log"));
    let Ok(log) = open() else {
        return Ok(told);
    };
    let mut failed_sync = false;
    for step in 0..6u64 {
        match log.append(&[step.to_le_bytes(), [step as u8; 8]].concat()) {
            Ok(()) if failed_sync => return Err("acknowledged after a failed fsync".into()),
            Ok(()) => told.push(step),
            Err(error) if fault.call == Call::Sync => {
                failed_sync = true;
                if error.kind() != ErrorKind::Closed {
                    return Err(format!("a failed fsync is {error}"));
                }
            }
            Err(_) => {}
        }
    }
    Ok(told)
}

fn all_there(disk: &Imitation, told: &[u64]) -> Result<(), String> {
    let log = match Options::new().open_log_in(disk.vfs(), Path::new("log")) {
        Ok(log) => log,
        Err(error) => return Err(format!("open: {error}")),
    };
    log.append(&[99u64.to_le_bytes(), [99; 8]].concat())
        .map_err(|error| format!("append: {error}"))?;
    let reader = log.reader().map_err(|error| format!("follow: {error}"))?;
    let mut found = Vec::new();
    let mut bytes = Vec::new();
    while reader.try_recv_vec(&mut bytes).is_ok() {
        let step = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        if bytes.len() != 16 || bytes[8..].iter().any(|byte| *byte != step as u8) {
            return Err(format!("record {step} is not what was written"));
        }
        found.push(step);
    }
    match told.iter().find(|step| !found.contains(step)) {
        Some(step) => Err(format!("{step} was acknowledged, and {found:?} is there")),
        None if found.last() == Some(&99) && found.is_sorted() => Ok(()),
        None => Err(format!("after the next start: {found:?}")),
    }
}

pub(crate) fn of_documents(lab: &mut Lab) {
    let mut tally = Tally::new("R16", "the Nth call fails: documents");
    sweep(&mut tally, |fault| {
        let disk = Imitation::default();
        disk.fail(fault);
        let open = |disk: &Imitation| Options::new().open_document_in(disk.vfs(), Path::new("d"));
        let mut last = 0;
        if let Ok(document) = open(&disk) {
            let mut over = false;
            for step in 1..=4u8 {
                match document.replace(&[step; 700]) {
                    Ok(()) if over => return Err("replaced after a failed fsync".into()),
                    Ok(()) => last = step,
                    Err(error) => over |= error.kind() == ErrorKind::Closed,
                }
            }
        }
        let hit = disk.was_hit();
        disk.heal();
        for after in next_starts(&disk) {
            let document = open(&after).map_err(|error| format!("open: {error}"))?;
            let step = document.read().map_or(Ok(0), |bytes| whole(&bytes))?;
            if step < last || after.names().len() > 1 {
                return Err(format!("{step} for {last}, {:?}", after.names()));
            }
        }
        Ok(hit)
    });
    lab.enter(tally);
}

fn whole(bytes: &[u8]) -> Result<u8, String> {
    match bytes {
        [first, ..] if bytes.len() == 700 && bytes.iter().all(|byte| byte == first) => Ok(*first),
        _ => Err(format!("{} bytes, not what was written", bytes.len())),
    }
}

pub(crate) fn of_spools(lab: &mut Lab) {
    let mut tally = Tally::new("R16", "the Nth call fails: spools");
    sweep(&mut tally, |fault| {
        let disk = Imitation::default();
        disk.fail(fault);
        let (mut delivered, mut finished) = (Vec::new(), Vec::new());
        let mut begun = Vec::new();
        if let Ok(spool) = Options::new().open_spool_in(disk.vfs()) {
            let mut over = false;
            for step in 1..=4u8 {
                match spool.deliver(&[step; 700]) {
                    Ok(()) if over => return Err("delivered after a failed fsync".into()),
                    Ok(()) => delivered.push(step),
                    Err(error) => over |= error.kind() == ErrorKind::Closed,
                }
            }
            for _ in 0..2 {
                let Ok(claim) = spool.try_claim() else {
                    continue;
                };
                let step = whole(&claim.read().map_err(|error| error.to_string())?)?;
                begun.push(step);
                if claim.finish().is_ok() {
                    finished.push(step);
                }
            }
        }
        let hit = disk.was_hit();
        disk.heal();
        for after in next_starts(&disk) {
            // A directory is there or is made again.
            let spool = Options::new().open_spool_in(after.vfs());
            let spool = spool.map_err(|error| format!("open: {error}"))?;
            let mut found = Vec::new();
            while let Ok(claim) = spool.try_claim() {
                found.push(whole(&claim.read().map_err(|error| error.to_string())?)?);
                claim.finish().map_err(|error| error.to_string())?;
            }
            let lost = |step: &&u8| !found.contains(step) && !begun.contains(step);
            if let Some(step) = delivered.iter().find(lost) {
                return Err(format!("{step} was delivered, {found:?} is there"));
            }
            if let Some(step) = finished.iter().find(|step| found.contains(step)) {
                return Err(format!("{step} was finished, {found:?} is there"));
            }
        }
        Ok(hit)
    });
    lab.enter(tally);
}

/// The same on a real disk, where the kernel says so: by strace, in a program started for it.
pub(crate) fn by_strace(lab: &mut Lab) {
    use ipc_testkit::TempDir;
    use std::process::{Command, Stdio};
    let mut tally = Tally::new("R16", "strace injects EIO and ENOSPC into real calls");
    let exe = std::env::current_exe().expect("this program");
    let calls = ["pwrite64", "fdatasync", "fsync", "ftruncate"];
    'all: for call in calls {
        for (error, sticky) in [("EIO", ""), ("EIO", "+"), ("ENOSPC", ""), ("ENOSPC", "+")] {
            for nth in 1..=lab.count(3, 40, 40) {
                let dir = TempDir::new();
                let inject = format!("inject={call}:error={error}:when={nth}{sticky}");
                let ran = Command::new("strace")
                    .args([
                        "-f",
                        "-o",
                        "/dev/null",
                        "-e",
                        &format!("trace={call}"),
                        "-e",
                        &inject,
                    ])
                    .arg(&exe)
                    .env(
                        crate::labels::PART,
                        format!("strace\n{}", dir.path().display()),
                    )
                    .stdin(Stdio::null())
                    .output();
                let Ok(ran) = ran else {
                    tally.skip("strace is not installed");
                    break 'all;
                };
                let text = String::from_utf8_lossy(&ran.stdout).into_owned();
                let Some(told) = text.lines().find_map(|line| line.strip_prefix("told ")) else {
                    let why = String::from_utf8_lossy(&ran.stderr).into_owned();
                    if why.contains("ptrace") || why.contains("PTRACE") {
                        tally.skip("tracing is not allowed here (ptrace)");
                        break 'all;
                    }
                    tally.trial(Err(format!("{inject}: {}: {why}", ran.status)));
                    continue;
                };
                let told: Vec<u64> = told.split_whitespace().flat_map(str::parse).collect();
                tally.trial(
                    crate::kills::all_there(dir.path(), &told)
                        .map_err(|failure| format!("{inject}: {failure}")),
                );
            }
        }
    }
    lab.enter(tally);
}

/// What is run under strace: appends, and prints what it was told.
pub(crate) fn append_and_say(dir: &str) {
    let mut told = Vec::new();
    let mut failed = false;
    if let Ok(log) = ipc_file::open_log(Path::new(dir).join("log")) {
        for step in 0..8u64 {
            let outcome = log.append(&crate::kills::record(step));
            assert!(
                !(failed && outcome.is_ok()),
                "acknowledged after a failed fsync"
            );
            match outcome {
                Ok(()) => told.push(step.to_string()),
                Err(error) => failed |= error.kind() == ErrorKind::Closed,
            }
        }
    }
    println!("told {}", told.join(" "));
}
