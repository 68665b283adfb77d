//! Many threads of several processes write to one log file, one of them is killed in the middle,
//! and a reader follows it meanwhile.
//!
//! `file::Log`: what `append` has answered is on the disk, whole, whoever dies next and wherever
//! the power fails; appends that come together share one write to the disk. Plain appends to a
//! file would tear where they are long, and would be lost with the power; a logger process would
//! be one more to watch. Run it: `cargo run -p ipc-facade --example shared_log`. It prints how
//! many records each process has acknowledged, and that the reader has found each of these once,
//! whole, in the order of its thread.

use ipc_facade::ErrorKind;
use ipc_facade::file;
use ipc_facade::signal::{Child, Signal, Target};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const HELP: &str = "\
Threads of several processes log to one file, and one process is killed.

usage: shared_log";

const THREADS: usize = 4;
/// How long no record may come before the reader looks whether there still is a writer.
const PATIENCE: Duration = Duration::from_millis(200);
/// What a thread writes, unless it is killed.
const RECORDS: usize = 25;

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => Directory::new().and_then(|directory| follow(&directory.0.join("log"))),
        ["writer", path, name, records] => records
            .parse()
            .map_err(Into::into)
            .and_then(|records| write(path.as_ref(), name, records)),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(HELP.into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Writes by several threads, and says on standard output what was acknowledged.
fn write(path: &Path, process: &str, records: usize) -> Outcome {
    let log = file::open_log(path)?;
    thread::scope(|scope| {
        let write = |thread| {
            let log = &log;
            scope.spawn(move || -> Outcome {
                for number in 0..records {
                    log.append(record(process, thread, number).as_bytes())?;
                    writeln!(io::stdout(), "{process} {thread} {number}")?; // on the disk
                }
                Ok(())
            })
        };
        let threads: Vec<_> = (0..THREADS).map(write).collect();
        let mut ends = threads.into_iter().map(|thread| thread.join());
        ends.try_for_each(|end| end.map_err(|_| "a thread panicked")?)
    })
}

/// Who writes, the how manieth record it is, and a tail by which one sees that it is whole.
fn record(process: &str, thread: usize, number: usize) -> String {
    let tail = format!("{process}{thread}").repeat(number % 50);
    format!("{process} {thread} {number} {tail}.")
}

/// How many records of each thread of each process there are.
type Counts = BTreeMap<(String, usize), usize>;

/// Counts one more record, which must be the next of its thread.
fn count(counts: &mut Counts, line: &str) -> Outcome<(String, usize, usize)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [process, thread, number, ..] = words[..] else {
        return Err(format!("not a record: {line:?}").into());
    };
    let (thread, number) = (thread.parse()?, number.parse()?);
    let next = counts.entry((process.to_owned(), thread)).or_default();
    if number != *next {
        return Err(format!("record {number} of {process} {thread} follows {next} others").into());
    }
    *next += 1;
    Ok((process.to_owned(), thread, number))
}

fn follow(path: &Path) -> Outcome {
    let log = file::open_log(path)?.reader()?;
    let start = |name: &str, records: usize| {
        let mut writer = Command::new(env::current_exe()?);
        writer
            .arg("writer")
            .arg(path)
            .args([name, &records.to_string()]);
        Outcome::Ok(Child::spawn(writer.stdout(Stdio::piped()))?)
    };
    let mut writers = vec![
        ("ann", start("ann", RECORDS)?),
        ("bob", start("bob", RECORDS)?),
    ];
    let mut victim = start("victim", usize::MAX)?;

    let (mut found, mut buffer) = (Counts::new(), Vec::new());
    let mut take = |found: &mut Counts, wait: bool| -> Outcome<Option<String>> {
        match if wait {
            log.recv_vec_timeout(&mut buffer, PATIENCE)
        } else {
            log.try_recv_vec(&mut buffer)
        } {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(None);
            }
            other => other?,
        }
        let text = str::from_utf8(&buffer)?;
        let (process, thread, number) = count(found, text)?;
        if text == record(&process, thread, number) {
            Ok(Some(process))
        } else {
            Err(format!("torn: {text:?}").into())
        }
    };
    // It writes without end; when twenty of its records are there, it is killed.
    let mut seen = 0;
    while seen < 20 {
        match take(&mut found, true)? {
            Some(process) => seen += usize::from(process == "victim"),
            // A log does not tell that its writers have ended, say by a full disk; they do.
            None => {
                if let Some(end) = victim.std_mut().try_wait()? {
                    return Err(format!("the victim ended by itself: {end}").into());
                }
            }
        }
    }
    Target::pidfd(&victim).notify(Signal::KILL)?;

    writers.push(("victim", victim));
    let mut acknowledged = Counts::new();
    for (name, mut writer) in writers {
        let said = writer.std_mut().stdout.take().ok_or("it is piped")?;
        for line in BufReader::new(said).split(b'\n') {
            count(&mut acknowledged, str::from_utf8(&line?)?)?;
        }
        let end = writer.wait()?;
        println!("{name}: {end}");
        if name != "victim" && !end.success() {
            return Err(format!("{name} has not written all of its records: {end}").into());
        }
    }
    while take(&mut found, false)?.is_some() {}
    println!("every record is whole, and in the order of its thread");
    compare(&acknowledged, &found)
}

/// What was acknowledged is there; beyond it, a thread that was killed may have had one more.
fn compare(acknowledged: &Counts, found: &Counts) -> Outcome {
    let (mut said, mut there) = (0, 0);
    for (writer, found) in found {
        let acknowledged = acknowledged.get(writer).copied().unwrap_or(0);
        let most = acknowledged + usize::from(writer.0 == "victim");
        if !(acknowledged..=most).contains(found) {
            return Err(format!("{writer:?}: {found} found, {acknowledged} acknowledged").into());
        }
        (said, there) = (said + acknowledged, there + found);
    }
    println!("acknowledged {said}, found {there}");
    if said == acknowledged.values().sum::<usize>() {
        Ok(())
    } else {
        Err("all records of a thread are lost".into())
    }
}

/// A private directory, removed with all that is in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Outcome<Self> {
        let path = env::temp_dir().join(format!("shared_log-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
