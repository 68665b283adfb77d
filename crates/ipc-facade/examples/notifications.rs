//! A daemon that is told of a changed file and of signals, and looks at neither in vain.
//!
//! `file::watch` waits in the kernel for the directory of the configuration; `file::Document`
//! replaces the file as a whole, so that the daemon never reads half of it. `signal::receiver`
//! makes values of signals, without a handler: SIGHUP is a flag, however often it is sent, while
//! real-time signals queue and bring a number. For more than a number take `uds`; between
//! processes that share a descriptor, `event`. Run it:
//! `cargo run -p ipc-facade --example notifications`. It prints what the daemon was told.

use ipc_facade::file::{self, ChangeKind};
use ipc_facade::signal::{self, Child, Signal, Target};
use rustix::process::set_parent_process_death_signal;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A daemon is told of a changed file and of signals.

usage: notifications                    a daemon, and who tells it
       notifications daemon DIRECTORY   watches DIRECTORY/config until Ctrl-C";

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => show(),
        ["daemon", directory] => daemon(directory.as_ref()),
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

fn daemon(directory: &Path) -> Outcome {
    // Whoever started it may be killed before it can say so.
    set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    // Before the first thread starts, since each must leave these signals alone.
    let job = Signal::real_time(0)?;
    let signals = signal::receiver([job, Signal::HUP, Signal::INT, Signal::TERM])?;
    let watch = file::watch()?;
    watch.add(directory)?; // from here on nothing is missed
    let config = file::open_document(directory.join("config"))?;
    println!("config {:?}", String::from_utf8_lossy(&config.read()?));
    thread::spawn(move || {
        let followed = follow(&watch, &config);
        eprintln!("the watch has ended: {followed:?}");
    });
    loop {
        let told = signals.wait()?;
        // Who sent it is a hint: whoever may signal us may claim what it likes.
        match (told.signal(), told.value()) {
            (Signal::HUP, _) => println!("hangup"),
            (signal, Some(value)) if signal == job => println!("job {value}"),
            (Signal::INT | Signal::TERM, _) => break,
            (signal, _) => println!("{signal}, which says nothing"),
        }
    }
    println!("ending");
    Ok(())
}

fn follow(watch: &file::Watch, config: &file::Document) -> ipc_facade::Result<()> {
    loop {
        let change = watch.recv()?;
        let ours = change.name.is_some_and(|name| name == "config");
        // A document is replaced by a rename; after an overflow look again, whatever it was.
        if (change.kind == ChangeKind::MovedHere && ours) || change.kind == ChangeKind::Overflow {
            println!("config {:?}", String::from_utf8_lossy(&config.read()?));
        }
    }
}

fn show() -> Outcome {
    let directory = Directory::new()?;
    let config = file::open_document(directory.0.join("config"))?;
    config.replace(b"colour = red")?;
    let mut command = Command::new(env::current_exe()?);
    command
        .arg("daemon")
        .arg(&directory.0)
        .stdout(Stdio::piped());
    let mut daemon = Child::spawn(&mut command)?;
    let said = daemon.std_mut().stdout.take().ok_or("it is piped")?;
    let mut said = BufReader::new(said).lines();
    let mut hear = |expected: &str| -> Outcome {
        let line = said.next().ok_or("the daemon has ended")??;
        writeln!(io::stdout(), "daemon: {line}")?;
        if line == expected {
            Ok(())
        } else {
            Err(format!("it was to say {expected:?}").into())
        }
    };

    hear("config \"colour = red\"")?;
    config.replace(b"colour = blue")?;
    hear("config \"colour = blue\"")?;
    let target = || Target::pidfd(&daemon);
    target().notify(Signal::HUP)?;
    hear("hangup")?;
    let job = Signal::real_time(0)?;
    for number in [7, 8, 9] {
        target().notify_with(job, number)?;
    }
    for number in [7, 8, 9] {
        hear(&format!("job {number}"))?; // each of them, in order
    }
    target().notify(Signal::TERM)?;
    hear("ending")?;
    if daemon.wait()?.success() {
        Ok(())
    } else {
        Err("the daemon failed".into())
    }
}

/// A private directory, removed with all that is in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Outcome<Self> {
        let path = env::temp_dir().join(format!("notifications-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
