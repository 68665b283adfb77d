//! Another process is a role: the test binary started again, playing one named part.

use crate::sys;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The exit code of a role that ran to its end. A child that ran nothing exits with 0, which is
/// never taken for success.
pub const DONE: i32 = 86;

const ROLE: &str = "IPC_TESTKIT_ROLE";
const ARGUMENTS: &str = "IPC_TESTKIT_ARGUMENTS";
const DESCRIPTORS: &str = "IPC_TESTKIT_DESCRIPTORS";
/// Between arguments in the environment: no argument of a test has it.
const SEPARATOR: char = '\u{1f}';

/// Declares the roles that a test binary can play, in its `main.rs`.
///
/// A role is a function from [`Stage`]; `hold` is always there: it says that it runs, by
/// closing its last descriptor, and holds the others until it is killed.
///
/// ```no_run
/// ipc_testkit::roles! {
///     "greeter" => |stage: ipc_testkit::Stage| println!("{}", stage.argument(0)),
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! roles {
    ($($name:literal => $part:expr),* $(,)?) => {
        #[test]
        fn role_entry() {
            let parts: &[(&str, $crate::Part)] = &[$(($name, $part)),*];
            $crate::run_role(parts);
        }
    };
}

/// What a role does.
pub type Part = fn(Stage);

/// Plays the role that this process was started for, if any; what [`roles!`](crate::roles) calls.
///
/// # Panics
/// Where the role is not in the table, or is in it twice.
pub fn run_role(parts: &[(&str, Part)]) {
    for (at, (name, _)) in parts.iter().enumerate() {
        assert!(
            parts[at + 1..].iter().all(|(other, _)| other != name),
            "role {name} twice"
        );
    }
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    die_with_parent();
    let stage = Stage::from_environment();
    if role == "hold" {
        hold(stage);
    }
    let part = parts.iter().find(|(name, _)| *name == role);
    part.unwrap_or_else(|| panic!("no role {role} in this test binary"))
        .1(stage);
    std::process::exit(DONE);
}

fn hold(mut stage: Stage) -> ! {
    drop(stage.descriptors.pop());
    loop {
        std::thread::park();
    }
}

/// What a role was given.
#[derive(Debug)]
pub struct Stage {
    arguments: Vec<String>,
    descriptors: Vec<OwnedFd>,
}

impl Stage {
    fn from_environment() -> Self {
        let list = |name| std::env::var(name).unwrap_or_default();
        let arguments = list(ARGUMENTS)
            .split(SEPARATOR)
            .map(str::to_owned)
            .collect();
        let descriptors = list(DESCRIPTORS)
            .split_whitespace()
            .map(|number| sys::adopt(number.parse().expect("written by `Role::spawn`")))
            .collect();
        Self {
            arguments,
            descriptors,
        }
    }

    /// Argument `index`.
    ///
    /// # Panics
    /// Where it was not given.
    #[must_use]
    pub fn argument(&self, index: usize) -> &str {
        &self.arguments[index]
    }

    /// Takes the next descriptor, in the order they were given.
    ///
    /// # Panics
    /// Where none is left.
    pub fn descriptor(&mut self) -> OwnedFd {
        self.descriptors.remove(0)
    }
}

/// A role to be started.
#[derive(Debug)]
pub struct Role {
    name: String,
    arguments: Vec<String>,
    descriptors: Vec<OwnedFd>,
    blocked: Vec<i32>,
    environment: Vec<(String, Option<String>)>,
}

impl Role {
    /// The role `name` of this test binary.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            arguments: Vec::new(),
            descriptors: Vec::new(),
            blocked: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Every thread of the role, those of the test harness too, blocks these signals from its
    /// start on. SIGINT and SIGTERM have their usual effect in it, whatever this process ignores.
    #[must_use]
    pub fn blocking(mut self, signals: &[i32]) -> Self {
        self.blocked.extend_from_slice(signals);
        self
    }

    /// Sets a variable in the role's environment, or removes it.
    #[must_use]
    pub fn environment(mut self, name: &str, value: Option<&str>) -> Self {
        let value = value.map(str::to_owned);
        self.environment.push((name.to_owned(), value));
        self
    }

    /// One argument more.
    #[must_use]
    pub fn argument(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Gives the role a copy of `fd`.
    ///
    /// # Panics
    /// Where there is no descriptor left for the copy.
    #[must_use]
    pub fn descriptor(mut self, fd: impl AsFd) -> Self {
        let copy = rustix::io::fcntl_dupfd_cloexec(fd, 10).expect("a descriptor for the copy");
        self.descriptors.push(copy);
        self
    }

    /// Starts the role.
    ///
    /// # Panics
    /// Where no process can be started.
    #[must_use]
    pub fn spawn(self) -> Child {
        let program = std::env::current_exe().expect("this test runs from a file");
        let numbers: Vec<_> = self
            .descriptors
            .iter()
            .map(|fd| fd.as_raw_fd().to_string())
            .collect();
        let mut command = Command::new(program);
        command
            .args(["role_entry", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, &self.name)
            .env(ARGUMENTS, self.arguments.join(&SEPARATOR.to_string()))
            .env(DESCRIPTORS, numbers.join(" "))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if !self.blocked.is_empty() {
            sys::start_blocking(&mut command, self.blocked);
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let _one_at_a_time = spawn_lock();
        for fd in &self.descriptors {
            sys::set_inheritable(fd.as_fd());
        }
        let process = command
            .spawn()
            .expect("the test binary can be started again");
        drop(self.descriptors);
        Child::new(process, self.name)
    }

    /// The `hold` role, running: it holds what it was given until it is killed.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn spawn_holding(self) -> Child {
        let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        let child = self.descriptor(&tell).spawn();
        drop(tell);
        // The end of this pipe is the role's word that it runs and holds the rest.
        let end = rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut [0u8; 1]));
        assert_eq!(end, Ok(0), "the role never came up");
        child
    }
}

/// A test that is killed takes what it has started with it.
pub(crate) fn die_with_parent() {
    let kill = Some(Signal::KILL);
    let _ = rustix::process::set_parent_process_death_signal(kill);
}

/// Children start one at a time: between fork and exec a child holds a copy of every descriptor,
/// and descriptors to be inherited are open to any child for that moment.
pub(crate) fn spawn_lock() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running role. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    role: String,
    pidfd: OwnedFd,
    reaped: bool,
}

impl Child {
    fn new(process: std::process::Child, role: String) -> Self {
        let pid = i32::try_from(process.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a live child");
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).expect("a pidfd");
        Self {
            process,
            role,
            pidfd,
            reaped: false,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its pidfd.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Kills it (SIGKILL), without reaping.
    ///
    /// # Panics
    /// Where it cannot be signalled.
    pub fn kill(&self) {
        rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL).expect("our own child");
    }

    /// Waits until it is dead, without reaping it: a zombie.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub fn wait_dead(&self) {
        let flags = rustix::event::PollFlags::IN;
        let mut fds = [rustix::event::PollFd::new(&self.pidfd, flags)];
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None)).expect("poll a pidfd");
    }

    /// Waits for its end and reaps it.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub fn wait(mut self) -> ExitStatus {
        self.reaped = true;
        self.process.wait().expect("our own child")
    }

    /// Waits for its end, which must be the role's own exit code.
    ///
    /// # Panics
    /// Where the role failed, was killed, or never ran.
    #[track_caller]
    pub fn done(self) {
        let role = self.role.clone();
        let status = self.wait();
        assert!(
            status.code() == Some(DONE),
            "role {role} ended with {status}, not with {DONE}"
        );
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
