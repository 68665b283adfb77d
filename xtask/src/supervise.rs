//! Runs a program that may hang, flood or be interrupted: launched, logged, timed, killed in time.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::Outcome;

/// How a program ended.
pub(crate) struct Ended {
    /// Whether it ended by itself with exit code 0.
    pub(crate) succeeded: bool,
    /// The end in words: `it ended with exit status: 1`.
    pub(crate) how: String,
    /// Both of its streams.
    pub(crate) output: String,
    pub(crate) took: Duration,
    /// How many processes it left behind, which have been killed.
    pub(crate) strays: usize,
}

/// A command to which `--` and a program are to be added: that program dies with this process.
pub(crate) fn launcher() -> Command {
    // Through /proc, since a build may have replaced this program's file meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg("__launch")
        .arg("--parent")
        .arg(std::process::id().to_string());
    command
}

/// Runs the command and waits for its end, or kills it when the time is over.
///
/// Its streams go to the file `log`, not to a pipe: a grandchild that keeps a pipe open would keep
/// its reader waiting.
pub(crate) fn run(command: &mut Command, log: &Path, timeout: Duration) -> Outcome<Ended> {
    let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let started = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let id = Pid::from_raw(child.id().cast_signed());

    // The child dies with the thread that started it, so that thread is this one, and only the
    // waiting is done by another.
    let (sender, ended) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let status = child.wait();
        let _ = sender.send(());
        status
    });
    let hung = ended.recv_timeout(timeout).is_err();
    if hung {
        // Fails only when the child ended this very moment, which is what was wanted.
        let _ = kill(id, Signal::SIGKILL);
    }
    let status = waiter.join().expect("the waiting thread does not panic")?;
    Ok(Ended {
        succeeded: status.success() && !hung,
        how: match hung {
            true => format!("it was killed after {} s", timeout.as_secs()),
            false => format!("it ended with {status}"),
        },
        output: String::from_utf8_lossy(&fs::read(log)?).into_owned(),
        took: started.elapsed(),
        strays: end_strays(),
    })
}

/// From here on a process whose parent has died becomes a child of this one, so that what a program
/// leaves behind, say a stopped process whose tracer was killed, can be found.
pub(crate) fn adopt_orphans() -> Outcome {
    nix::sys::prctl::set_child_subreaper(true)?;
    Ok(())
}

/// Ends every child of this process; only the adopted ones exist between two runs.
fn end_strays() -> usize {
    let mut ended = 0;
    loop {
        let strays = children(Pid::this());
        if strays.is_empty() {
            return ended;
        }
        for stray in strays {
            ended += usize::from(is_alive(stray));
            // One that is dead already is only waited for; its own children come here next.
            let _ = kill(stray, Signal::SIGKILL);
            let _ = waitpid(stray, None);
        }
    }
}

/// Whether it is anything but a zombie: the state stands behind the name in parentheses.
fn is_alive(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Passes `signal` on to all that this process has started, and what they have: who is ended by
/// another than a terminal is alone in being told.
pub(crate) fn tell_descendants(signal: Signal) {
    let (mut found, mut at) = (children(Pid::this()), 0);
    while let Some(next) = found.get(at) {
        found.extend(children(*next));
        at += 1;
    }
    for process in found {
        let _ = kill(process, signal);
    }
}

fn children(of: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{of}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .map(Pid::from_raw)
        .collect()
}
