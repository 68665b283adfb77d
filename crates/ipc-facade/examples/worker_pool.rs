//! A pool of worker processes: started, given work, watched, killed when they hang, and started
//! again when they die.
//!
//! A worker's standard input is one end of a `uds::pair_seqpacket`: a message is a job or its
//! result, a deadline tells that a worker hangs, the end of the socket that it died, and a worker
//! whose supervisor dies sees the end too, and ends. `signal::Child` kills and awaits by a pidfd,
//! so that no other process can be meant. For many small jobs without a supervisor between them
//! take a `ring` queue; for jobs that outlive the host, a `file::Spool`. Run it:
//! `cargo run -p ipc-facade --example worker_pool`. It prints each worker's end and each job that
//! was given again, and at last that every job was done once; Ctrl-C ends it in order.

use ipc_facade::signal::{self, Child, Shutdown, Signal, Target};
use ipc_facade::{ErrorKind, uds};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, io, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const HELP: &str = "\
Three worker processes do forty jobs; one crashes and one hangs on the way.

usage: worker_pool";

const WORKERS: usize = 3;
const JOBS: u64 = 40;
/// A job that crashes its worker at the first attempt, and one at which it hangs.
const CRASHES: u64 = 7;
const HANGS: u64 = 13;
/// How long a job may take.
const PATIENCE: Duration = Duration::from_millis(500);
const MOST_ATTEMPTS: u32 = 3;

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => supervise(),
        ["worker"] => work(),
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

/// Takes jobs from standard input, and answers each, until nobody is there any more.
fn work() -> Outcome {
    // One that hangs does not see that nobody is there any more.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let supervisor = uds::SeqPacket::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut bytes = [0; 12];
    loop {
        match supervisor.recv(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
            other => other?,
        };
        let job = Job::from_bytes(bytes);
        match (job.number, job.attempt) {
            (CRASHES, 1) => std::process::abort(),
            (HANGS, 1) => loop {
                thread::park();
            },
            _ => supervisor.send(&job.result().to_le_bytes())?,
        }
    }
}

#[derive(Clone, Copy)]
struct Job {
    number: u64,
    attempt: u32,
}

impl Job {
    fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..].copy_from_slice(&self.attempt.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 12]) -> Self {
        let [a, b, c, d, e, f, g, h, attempt @ ..] = bytes;
        Self {
            number: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            attempt: u32::from_le_bytes(attempt),
        }
    }

    /// What the work is here: the number of steps that Collatz's rule takes to one.
    fn result(self) -> u64 {
        let next = |n: &u64| {
            (*n > 1).then(|| {
                if n.is_multiple_of(2) {
                    n / 2
                } else {
                    3 * n + 1
                }
            })
        };
        std::iter::successors(Some(self.number + 1), next).count() as u64
    }
}

/// What all who look after a worker share.
struct Pool {
    waiting: Mutex<VecDeque<Job>>,
    done: Mutex<Vec<(u64, u64)>>,
    asked_to_end: Shutdown,
}

fn supervise() -> Outcome {
    let waiting = (0..JOBS).map(|number| Job { number, attempt: 1 }).collect();
    let pool = Pool {
        waiting: Mutex::new(waiting),
        done: Mutex::default(),
        asked_to_end: signal::shutdown()?, // before the first thread starts
    };
    thread::scope(|scope| {
        let tend = |name| {
            let pool = &pool;
            scope.spawn(move || pool.tend(name))
        };
        let threads: Vec<_> = (0..WORKERS).map(tend).collect();
        let mut ends = threads.into_iter().map(|thread| thread.join());
        ends.try_for_each(|end| end.map_err(|_| "a thread panicked")?)
    })?;

    let mut done = lock(&pool.done).clone();
    done.sort_unstable();
    let expected = (0..JOBS).map(|number| (number, Job { number, attempt: 0 }.result()));
    println!("{} of {JOBS} jobs done", done.len());
    if done.into_iter().eq(expected) {
        Ok(())
    } else {
        Err("not every job was done once, and well".into())
    }
}

impl Pool {
    /// Keeps one worker alive and at work until no job is left.
    fn tend(&self, name: usize) -> Outcome {
        let mut worker = Worker::start()?;
        while let Some(job) = self.next() {
            match worker.ask(job) {
                Ok(result) => lock(&self.done).push((job.number, result)),
                Err(error) if job.attempt == MOST_ATTEMPTS => return Err(error),
                Err(error) => {
                    let status = worker.kill()?;
                    println!(
                        "worker {name}, job {}: {error}; ended: {status}",
                        job.number
                    );
                    // Back in line before anything else can fail.
                    let attempt = job.attempt + 1;
                    lock(&self.waiting).push_back(Job { attempt, ..job });
                    println!("worker {name} starts again; job {} waits again", job.number);
                    worker = Worker::start()?;
                }
            }
        }
        worker.end()
    }

    /// The next job, unless we are to end.
    fn next(&self) -> Option<Job> {
        let goes_on = self.asked_to_end.try_wait().is_err();
        goes_on.then(|| lock(&self.waiting).pop_front()).flatten()
    }
}

/// A process, and the socket that is its standard input.
struct Worker {
    process: Child,
    socket: uds::SeqPacket,
}

impl Worker {
    fn start() -> Outcome<Self> {
        let (socket, theirs) = uds::pair_seqpacket()?;
        let mut command = Command::new(env::current_exe()?);
        command.arg("worker").stdin(OwnedFd::from(theirs));
        let process = Child::spawn(&mut command)?;
        Ok(Self { process, socket })
    }

    fn ask(&self, job: Job) -> Outcome<u64> {
        self.socket.send_timeout(&job.to_bytes(), PATIENCE)?;
        let mut result = [0; 8];
        match self.socket.recv_timeout(&mut result, PATIENCE)? {
            8 => Ok(u64::from_le_bytes(result)),
            other => Err(format!("an answer of {other} bytes").into()),
        }
    }

    /// Ends it whatever it does.
    fn kill(self) -> Outcome<std::process::ExitStatus> {
        match Target::pidfd(&self.process).notify(Signal::KILL) {
            Err(error) if error.kind() != ErrorKind::PeerDied => Err(error.into()),
            _ => Ok(self.process.wait()?),
        }
    }

    /// Lets it end by itself, as it does when nobody is at the other side of its socket.
    fn end(self) -> Outcome {
        drop(self.socket);
        if self.process.wait()?.success() {
            Ok(())
        } else {
            Err("a worker failed at the end".into())
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
