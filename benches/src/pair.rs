//! Two worker processes under the orchestrator's control: starting, asking, ending.

use std::{
    fmt, fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{fs::DirBuilderExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, WaitOptions, kill_process_group, waitpgid},
};
use serde::de::DeserializeOwned;

use crate::{
    interrupt::Interrupt,
    meet::seqpacket_pair,
    protocol::{self, Answer, Hello, Order, Welcome},
    scenario::Side,
    stage::Stage,
};

/// The hidden subcommand of a worker.
pub const WORKER: &str = "worker";

/// A worker that has not said hello after this time never will.
const START: Duration = Duration::from_secs(20);

/// Why a pair is of no more use.
#[derive(Debug)]
pub enum Trouble {
    /// The user wants the run to end.
    Interrupted,
    /// A worker died, hangs or failed; one clause says which and how.
    Broken(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Interrupted => f.write_str("interrupted"),
            Trouble::Broken(why) => f.write_str(why),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Broken(error.to_string())
    }
}

/// How to start a pair.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The binary of the workers.
    pub binary: &'a Path,
    /// CPUs of client and server.
    pub cpus: (usize, usize),
    /// All CPUs of the run.
    pub allowed: &'a [usize],
    /// Where the pair may place names.
    pub directory: &'a Path,
    /// How many processes send: more than one in a fan-in, on the client's CPU all of them.
    pub senders: usize,
    /// Removes from the kernel what workers with a tag may leave when killed.
    pub sweep: Option<fn(u32)>,
}

/// Two workers (in a fan-in some more that send), killed and swept after when dropped.
#[derive(Debug)]
pub struct Pair {
    /// Sends first.
    pub client: Worker,
    /// Answers.
    pub server: Worker,
    /// The senders of a fan-in besides the client.
    pub others: Vec<Worker>,
    tag: u32,
    sweep: Option<fn(u32)>,
}

impl Pair {
    /// Starts the workers and exchanges versions.
    pub fn start(setup: &Setup<'_>, interrupt: &Interrupt) -> Result<Pair, Trouble> {
        let tag = next_tag();
        let stage = Stage::create()?;
        let two_cpus = setup.cpus.0 != setup.cpus.1;
        let start = |side, sender, meets: &[OwnedFd]| -> Result<Worker, Trouble> {
            let cpu = match side {
                Side::Client => setup.cpus.0,
                Side::Server => setup.cpus.1,
            };
            let worker = Worker::spawn(setup.binary, side, sender)?;
            let welcome = Welcome {
                version: protocol::VERSION,
                side,
                cpu: Some(cpu),
                two_cpus,
                directory: setup.directory.to_owned(),
                tag,
                sender,
                cpus: setup.allowed.to_vec(),
            };
            let mut descriptors: Vec<BorrowedFd<'_>> = meets.iter().map(AsFd::as_fd).collect();
            descriptors.insert(1, stage.as_fd());
            protocol::send(&worker.control, &welcome, &descriptors)?;
            Ok(worker)
        };
        let (mut senders, mut at_server) = (Vec::new(), Vec::new());
        for sender in 0..setup.senders.max(1) {
            let (meet_sender, meet_server) = seqpacket_pair()?;
            senders.push(start(Side::Client, sender, &[meet_sender])?);
            at_server.push(meet_server);
        }
        let server = start(Side::Server, 0, &at_server)?;
        let others = senders.split_off(1);
        let Some(client) = senders.pop() else {
            return Err(Trouble::Broken("no client was started".to_owned()));
        };
        let pair = Pair {
            client,
            server,
            others,
            tag,
            sweep: setup.sweep,
        };
        for hello in pair.answers::<Hello>(START, interrupt)? {
            if let Some(why) = hello.failed {
                return Err(Trouble::Broken(why));
            }
            if hello.version != protocol::VERSION {
                return Err(Trouble::Broken(format!(
                    "{} speaks protocol {}, this binary {}",
                    setup.binary.display(),
                    hello.version,
                    protocol::VERSION
                )));
            }
        }
        Ok(pair)
    }

    /// Gives all workers the same order and waits for their answers; what the other senders of a
    /// fan-in have cost is added to the client's.
    pub fn ask(
        &self,
        order: &Order,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> Result<[Answer; 2], Trouble> {
        // The client last: the others are then more likely there when it begins.
        for worker in self.workers().into_iter().rev() {
            protocol::send(&worker.control, order, &[])
                .map_err(|error| Trouble::Broken(format!("{worker} takes no order: {error}")))?;
        }
        let mut answers = self.answers::<Answer>(patience, interrupt)?.into_iter();
        let (Some(mut client), Some(server)) = (answers.next(), answers.next()) else {
            return Err(Trouble::Broken("an answer was lost".to_owned()));
        };
        for other in answers {
            if let (Answer::Slice(client), Answer::Slice(other)) = (&mut client, other) {
                client.usage.add(other.usage);
            }
        }
        Ok([client, server])
    }

    /// Kills all workers; the pair is of no more use.
    pub fn kill(&self) {
        for worker in self.workers() {
            // An error means that it has ended already.
            let _ = rustix::process::kill_process(worker.pid(), Signal::KILL);
        }
    }

    /// Client and server, then the other senders.
    fn workers(&self) -> Vec<&Worker> {
        [&self.client, &self.server]
            .into_iter()
            .chain(&self.others)
            .collect()
    }

    /// The next answer of each worker. The first that fails ends the wait, because the others may
    /// be waiting for it.
    fn answers<T: DeserializeOwned + Failing>(
        &self,
        patience: Duration,
        interrupt: &Interrupt,
    ) -> Result<Vec<T>, Trouble> {
        let deadline = Instant::now() + patience;
        let workers = self.workers();
        let mut got: Vec<Option<T>> = workers.iter().map(|_| None).collect();
        loop {
            if got.iter().all(Option::is_some) {
                return Ok(got.into_iter().flatten().collect());
            }
            let ready = wait_readable(&workers, deadline, interrupt)?;
            for (index, worker) in workers.iter().enumerate() {
                if !ready[index] || got[index].is_some() {
                    continue;
                }
                let (answer, _) = protocol::receive::<T>(&worker.control)
                    .map_err(|error| Trouble::Broken(format!("{worker} has died: {error}")))?;
                if let Some(why) = answer.failure() {
                    return Err(Trouble::Broken(format!("{worker}: {why}")));
                }
                got[index] = Some(answer);
            }
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.client.end();
        self.server.end();
        self.others.iter_mut().for_each(Worker::end);
        if let Some(sweep) = self.sweep {
            sweep(self.tag);
        }
    }
}

/// Answers that may say that the worker has failed.
trait Failing {
    fn failure(&self) -> Option<&str>;
}

impl Failing for Hello {
    fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }
}

impl Failing for Answer {
    fn failure(&self) -> Option<&str> {
        match self {
            Answer::Failed { why } => Some(why),
            Answer::Connected | Answer::Slice(_) => None,
        }
    }
}

/// One worker process.
#[derive(Debug)]
pub struct Worker {
    side: Side,
    sender: usize,
    child: Child,
    control: OwnedFd,
}

impl Worker {
    fn spawn(binary: &Path, side: Side, sender: usize) -> io::Result<Worker> {
        let (control, theirs) = seqpacket_pair()?;
        let child = Command::new(binary)
            .args([WORKER, &std::process::id().to_string()])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            // A terminal's Ctrl-C is for the orchestrator, which ends its workers in order.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("start {}: {error}", binary.display()))
            })?;
        Ok(Worker {
            side,
            sender,
            child,
            control,
        })
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    fn end(&mut self) {
        // An error means that it has ended already, or that a tracer has reaped it. While it is not
        // reaped, nobody else has the number of its group, in which is what it has started.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
        }
        let _ = self.child.wait();
        // They are children of this process now.
        while let Ok(Some(_)) = waitpgid(self.pid(), WaitOptions::empty()) {}
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side {
            Side::Client if self.sender > 0 => write!(f, "sender {}", self.sender),
            Side::Client => f.write_str("the client"),
            Side::Server => f.write_str("the server"),
        }
    }
}

/// Which of the workers have something to say (or have hung up).
fn wait_readable(
    workers: &[&Worker],
    deadline: Instant,
    interrupt: &Interrupt,
) -> Result<Vec<bool>, Trouble> {
    let mut polled = vec![PollFd::new(interrupt, PollFlags::IN)];
    polled.extend(
        workers
            .iter()
            .map(|worker| PollFd::new(&worker.control, PollFlags::IN)),
    );
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    match poll(&mut polled, Some(&timeout)) {
        Ok(0) => return Err(Trouble::Broken("a worker hangs".to_owned())),
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(io::Error::from(error).into()),
    }
    let mut ready = polled.iter().map(|one| !one.revents().is_empty());
    if ready.next() == Some(true) {
        return Err(Trouble::Interrupted);
    }
    Ok(ready.collect())
}

/// How many pairs of one process have tags of their own.
const TAGS: u32 = 0x80;

/// The tags of the pairs of a process: its number and a small counter (29 bits).
pub fn tags_of(process: u32) -> impl Iterator<Item = u32> {
    (0..TAGS).map(move |count| (process.wrapping_mul(TAGS) | count) & 0x1fff_ffff)
}

/// A tag that no other live pair has.
fn next_tag() -> u32 {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed) % TAGS;
    (std::process::id().wrapping_mul(TAGS) | count) & 0x1fff_ffff
}

/// What the name of a run's directory begins with, before the number of its process.
pub const DIRECTORY_PREFIX: &str = "ipc-bench-";

/// A directory of this run alone, removed with all its names when dropped.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// Makes it below the system's place for temporary files.
    pub fn create() -> io::Result<Directory> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{DIRECTORY_PREFIX}{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Directory(path)),
                // Left by a run of the same process number that was killed, or somebody else's.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing can be done here about a directory that cannot be removed.
        let _ = fs::remove_dir_all(&self.0);
    }
}
