//! Counts of system calls: a ptrace(2) tracer that stops both workers, with all their threads, at
//! each of them, between two marks. Nothing is timed meanwhile.

use std::{fs, io, sync::mpsc, thread, time::Duration};

use nix::{
    sys::{
        ptrace::{self, Options},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{
    interrupt::Interrupt,
    pair::{Pair, Trouble},
    protocol::{Order, SliceOrder},
    scenario::Scenario,
    sys,
};

/// How long a traced slice may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no count.
#[derive(Debug)]
pub enum NoCount {
    /// This host does not let a process trace its children; the pair is unharmed.
    Denied(String),
    /// The pair is broken.
    Trouble(Trouble),
}

/// Whether a call, by its number, can wake a sleeper: a futex, and what is written to a descriptor.
pub fn can_wake(call: u64) -> bool {
    const WAKING: [libc::c_long; 6] = [
        libc::SYS_futex,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pwritev2,
        libc::SYS_sendmsg,
        libc::SYS_sendto,
    ];
    WAKING.iter().any(|&waking| waking as u64 == call)
}

/// Those system calls of both sides per message that `counts` says, over one slice of `messages`.
pub fn count(
    pair: &Pair,
    end: usize,
    scenario: Scenario,
    messages: u32,
    counts: fn(u64) -> bool,
    interrupt: &Interrupt,
) -> Result<f64, NoCount> {
    let mut traced = vec![pair.client.id()];
    // In the single-thread form the server has no part.
    if scenario != Scenario::SingleThread {
        traced.push(pair.server.id());
    }
    let slice = SliceOrder {
        end,
        messages,
        group: 1,
        planted_ns: 0.0,
        every_ns: 0,
        counted: true,
    };
    thread::scope(|scope| {
        let (ready, is_ready) = mpsc::channel();
        let tracer = scope.spawn(move || trace(&traced, counts, &ready));
        match is_ready.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(NoCount::Denied(format!("ptrace: {error}"))),
            Err(_) => return Err(NoCount::Denied("the tracer has ended early".to_owned())),
        }
        if let Err(trouble) = pair.ask(&Order::Slice(slice), PATIENCE, interrupt) {
            // The tracer waits for its tracees: their end is what ends it.
            pair.kill();
            return Err(NoCount::Trouble(trouble));
        }
        match tracer.join() {
            Ok(Ok(calls)) => Ok(calls as f64 / f64::from(messages)),
            Ok(Err(error)) => Err(NoCount::Denied(format!("ptrace: {error}"))),
            Err(_) => Err(NoCount::Denied("the tracer has panicked".to_owned())),
        }
    })
}

/// Follows the processes from now until each has shown both marks; counts the calls between.
/// Threads that a worker has besides, as servers of calls have, count while the client does, whose
/// marks stand around all that happens. All of it must run on one thread, since a tracer is a
/// thread (ptrace(2)).
fn trace(
    processes: &[u32],
    counts: fn(u64) -> bool,
    ready: &mpsc::Sender<io::Result<()>>,
) -> io::Result<u64> {
    let mut tracees = Vec::new();
    for &process in processes {
        tracees.extend(threads(process)?);
    }
    // Those that show marks come first, the client before all others.
    tracees.sort_by_key(|tracee| tracee.helps);
    for index in 0..tracees.len() {
        let pid = tracees[index].pid;
        let begun = ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD)
            .and_then(|()| ptrace::interrupt(pid));
        if let Err(error) = begun {
            for before in &tracees[..index] {
                let _ = waitpid(before.pid, Some(WaitPidFlag::__WALL));
                let _ = ptrace::detach(before.pid, None);
            }
            let _ = ready.send(Err(error.into()));
            return Err(error.into());
        }
    }
    // Stopped by the interrupt, each goes on from system call to system call.
    for tracee in &tracees {
        waitpid(tracee.pid, Some(WaitPidFlag::__WALL))?;
        ptrace::syscall(tracee.pid, None)?;
    }
    let _ = ready.send(Ok(()));

    let marks = |tracee: &Tracee| !tracee.helps && !tracee.finished;
    while tracees.iter().any(marks) {
        let status = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD))?;
        let client_counts = tracees[0].counting;
        let Some(tracee) = tracees
            .iter_mut()
            .find(|tracee| Some(tracee.pid) == status.pid())
        else {
            continue;
        };
        if tracee.helps {
            tracee.counting = client_counts;
        }
        tracee.step(status, counts)?;
    }
    for helper in tracees.iter().filter(|tracee| !tracee.finished) {
        helper.let_go();
    }
    Ok(tracees.iter().map(|tracee| tracee.calls).sum())
}

/// The threads of a process, that which takes orders first.
fn threads(process: u32) -> io::Result<Vec<Tracee>> {
    let mut tracees = vec![Tracee::new(process, false)];
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.parse().ok());
        if let Some(id) = id.filter(|id| *id != process) {
            tracees.push(Tracee::new(id, true));
        }
    }
    Ok(tracees)
}

struct Tracee {
    pid: Pid,
    /// It shows no marks.
    helps: bool,
    counting: bool,
    finished: bool,
    calls: u64,
}

impl Tracee {
    fn new(id: u32, helps: bool) -> Tracee {
        let pid = Pid::from_raw(id as i32);
        Tracee {
            pid,
            helps,
            counting: false,
            finished: false,
            calls: 0,
        }
    }

    fn step(&mut self, status: WaitStatus, counts: fn(u64) -> bool) -> io::Result<()> {
        match status {
            WaitStatus::PtraceSyscall(pid) => {
                self.note_call(counts)?;
                if self.finished {
                    ptrace::detach(pid, None)?;
                } else {
                    ptrace::syscall(pid, None)?;
                }
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                self.finished = true;
                if !self.helps {
                    return Err(io::Error::other("a traced worker has ended"));
                }
            }
            WaitStatus::Stopped(pid, signal) => ptrace::syscall(pid, signal)?,
            WaitStatus::PtraceEvent(pid, ..) => ptrace::syscall(pid, None)?,
            _ => {}
        }
        Ok(())
    }

    /// Stops following a thread that shows no mark. What fails has ended.
    fn let_go(&self) {
        let stopped =
            ptrace::interrupt(self.pid).and_then(|()| waitpid(self.pid, Some(WaitPidFlag::__WALL)));
        if stopped.is_ok() {
            let _ = ptrace::detach(self.pid, None);
        }
    }

    fn note_call(&mut self, counts: fn(u64) -> bool) -> io::Result<()> {
        let info = ptrace::syscall_info(self.pid)?;
        match sys::syscall_entry(&info) {
            Some((_, [sys::MARK, 0, ..])) => self.counting = true,
            Some((_, [sys::MARK, _, ..])) => {
                self.counting = false;
                self.finished = true;
            }
            Some((call, _)) if self.counting && counts(call) => self.calls += 1,
            Some(_) | None => {}
        }
        Ok(())
    }
}
