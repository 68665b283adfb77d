//! R18 for calls: each system call of one side fails in each way, once and often, and the other
//! side is whole.

use crate::calculator::CalculatorClient;
use ipc_testkit::crash::{Fault, Forked, Lab, Swept, Tally, fail_at_call};
use ipc_testkit::{TempDir, shared_words};
use libc::c_long;
use rpc_core::{Channel, Code, Context, Status};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a call may take that a fault may have broken.
const SHORT: Duration = Duration::from_millis(100);
/// And one that a fault must not break: what hangs is told by the patience, and not by how busy
/// the host is.
const LONG: Duration = Duration::from_secs(60);
/// "Again" without end is what it says: to wait without end. It is said so often in a row.
const BURST: u64 = 50;
/// The call that no run comes to.
const NEVER: u64 = u64::MAX;

/// How long a side is to wait for the other's first word, or the rest of a frame: less than a
/// run has.
pub const WAIT: Duration = Duration::from_secs(2);

const ERRORS: [i32; 11] = [
    libc::EINTR,
    libc::EAGAIN,
    libc::ENOMEM,
    libc::EMFILE,
    libc::ENFILE,
    libc::ENOSPC,
    libc::EIO,
    libc::EPIPE,
    libc::ECONNRESET,
    libc::EACCES,
    libc::EPERM,
];

/// Where the memory of Rust comes from, what a process sleeps and ends with, what no kernel ever
/// fails, and closing, which is done whatever it says: if these fail no library can go on.
const NEVER_FAIL: [c_long; 27] = [
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_umask,
    libc::SYS_tgkill,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
];

/// What the kernel may interrupt, or answer with "again", and a caller then has to repeat.
const REPEATED: [c_long; 13] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_accept4,
];

/// A side of which the system calls fail, and the other one.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Its name in the table.
    pub what: &'static str,
    /// Whether it sleeps in the event loop of a runtime.
    pub awaited: bool,
    /// Whether it is the server.
    pub serves: bool,
    /// Serves a calculator at a string binding, and ends with its client.
    pub server: fn(&Board, &str) -> Result<(), Status>,
    /// Connects to it and makes [`calls`], each of which may take so long.
    pub client: fn(&str, Duration) -> Result<(), Status>,
}

/// What the two sides and the tracer know of each other.
#[derive(Debug)]
pub struct Board {
    /// 1 when it listens, 2 when it cannot.
    listening: &'static AtomicU64,
    /// 1 where the client got its answers, 2 where it was told a failure.
    answered: &'static AtomicU64,
    /// 1 when the side that is watched has come to its end.
    over: &'static AtomicU64,
}

impl Board {
    /// Says that the server listens: its client may come.
    pub fn listens(&self) {
        self.listening.store(1, Ordering::SeqCst);
    }

    /// Until the client has what it came for, or knows that it will not get it: the end of a
    /// server that has none of its own.
    pub async fn answered(&self) {
        while self.answered.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Nobody need wait for it.
    fn gone(&self) {
        let (now, seen) = (Ordering::SeqCst, Ordering::SeqCst);
        let _ = self.listening.compare_exchange(0, 2, now, seen);
    }
}

/// The experiment: so many of all triples of call, errno, and once or often, spread evenly over
/// them, for each side.
pub fn every_system_call_fails(lab: &mut Lab, sides: &[Side]) {
    // The first runtime of a process may make a pair of sockets for signals, which stays.
    drop(runtime());
    let words = shared_words(3);
    let board = Board {
        listening: &words[0],
        answered: &words[1],
        over: &words[2],
    };
    let directory = TempDir::new();
    let wanted = lab.count(500, 20_000, 100_000) / sides.len().max(1) as u64;
    for side in sides {
        let mut tally = Tally::new("R18", format!("{}: call, errno, once or often", side.what));
        let trials = Trials {
            side,
            board: &board,
            directory: &directory,
        };
        match trials.sweep(lab, &mut tally, wanted) {
            Ok(note) => tally.note(note),
            Err(reason) => tally.skip(reason),
        }
        lab.enter(tally);
    }
}

/// A runtime of one thread, as a side has it.
///
/// # Errors
/// Where the host has nothing left for one.
pub fn runtime() -> Result<Runtime, Status> {
    let made = Builder::new_current_thread().enable_all().build();
    made.map_err(|error| Status::new(Code::Unavailable, error.to_string()))
}

/// What a client asks of the calculator, and that the answers are right; each call may take `time`.
///
/// # Errors
/// As the calls.
///
/// # Panics
/// For a wrong answer.
pub async fn calls(channel: impl Channel, time: Duration) -> Result<(), Status> {
    let calculator = CalculatorClient::new(channel);
    let cx = || Context::new().timeout(time);
    assert_eq!(calculator.add(&cx(), 2, 3).await?, 5);
    let mut counted = calculator.count(&cx(), 50).await?;
    let mut sum = 0;
    while let Some(number) = counted.next().await {
        sum += number?;
    }
    assert_eq!(sum, 49 * 50 / 2);
    calculator.note(&cx(), "x".into()).await?;
    assert_eq!(calculator.add(&cx(), 3, 4).await?, 7);
    Ok(())
}

/// A step that spreads the first few evenly, and comes to all before it comes to one again.
fn stride(all: u64) -> u64 {
    let common = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let golden = all * 618 / 1_000;
    let spread = (golden.max(1)..).find(|step| common(*step, all) == 1);
    spread.expect("one above the number itself, at the latest")
}

struct Trials<'a> {
    side: &'a Side,
    board: &'a Board,
    directory: &'a TempDir,
}

impl Trials<'_> {
    fn sweep(&self, lab: &mut Lab, tally: &mut Tally, wanted: u64) -> Result<String, String> {
        let none = Fault {
            call: NEVER,
            errno: libc::EIO,
            times: 1,
        };
        let (quiet, answered) = self.trial(none)?;
        if !answered || quiet.status != 0 || !quiet.leaked.is_empty() {
            tally.fail(format!(
                "without any fault: {quiet:?}, answered: {answered}"
            ));
        }
        let kinds = 2 * ERRORS.len() as u64;
        let triples = quiet.calls * kinds;
        let (mut next, mut answers, mut failed) = (lab.below(triples), 0, BTreeSet::new());
        let stride = stride(triples);
        for _ in 0..wanted {
            next = (next + stride) % triples;
            let fault = Fault {
                call: 1 + next / kinds,
                errno: ERRORS[(next % kinds / 2) as usize],
                times: [1, BURST][(next % 2) as usize],
            };
            let (swept, answered) = self.trial(fault)?;
            answers += u64::from(answered);
            failed.extend(swept.failed);
            tally.trial(self.judged(&swept, fault, answered));
        }
        Ok(format!(
            "of {triples}; {} kinds of call failed, {answers} runs went on as if nothing had",
            failed.len()
        ))
    }

    /// What is interrupted is repeated without a word; so is "again", but by an event loop, which
    /// waits for the next event: the kernel says it only where there will be one.
    const fn is_invisible(&self, fault: Fault) -> bool {
        fault.errno == libc::EINTR || (fault.errno == libc::EAGAIN && !self.side.awaited)
    }

    fn may_fail(&self, fault: Fault, number: i64, argument: u64) -> bool {
        let awaited = self.side.awaited;
        let asleep = [libc::SYS_epoll_wait, libc::SYS_epoll_pwait].contains(&number);
        // The runtime panics where what it sleeps and is woken by fails, which is not ours to mend.
        let sleeps = awaited && asleep && fault.errno != libc::EINTR;
        let wakes = awaited && [libc::SYS_read, libc::SYS_write].contains(&number);
        let says_a_panic = number == libc::SYS_write && argument == 2;
        !NEVER_FAIL.contains(&number) && !sleeps && !wakes && !says_a_panic
    }

    /// One run with one fault, and whether the client got its answers.
    fn trial(&self, fault: Fault) -> Result<(Swept, bool), String> {
        let board = self.board;
        board.listening.store(0, Ordering::SeqCst);
        board.answered.store(0, Ordering::SeqCst);
        board.over.store(0, Ordering::SeqCst);
        let path = self.directory.join("socket");
        let endpoint = format!("unix:{}", path.display());
        let may_fail = |number, argument| self.may_fail(fault, number, argument);
        let time = match self.is_invisible(fault) || fault.call == NEVER {
            true => LONG,
            false => SHORT,
        };
        let serve = || {
            if (self.side.server)(board, &endpoint).is_err() {
                board.gone();
            }
        };
        let ask = || self.ask(&endpoint, time);
        let swept = if self.side.serves {
            let client = Forked::new(ask);
            let swept = fail_at_call(serve, may_fail, fault, PATIENCE);
            // Where it never came so far.
            board.gone();
            board.over.store(1, Ordering::SeqCst);
            // Whatever became of its server, a client ends by its deadline.
            match client.status() {
                0 => swept,
                status => swept.map(|swept| Swept { status, ..swept }),
            }
        } else {
            let server = Forked::new(serve);
            let swept = fail_at_call(ask, may_fail, fault, PATIENCE);
            server.kill();
            swept
        }?;
        let left = std::fs::read_dir(self.directory.path()).into_iter();
        for name in left.flatten().flatten() {
            let _ = std::fs::remove_file(name.path());
        }
        Ok((swept, board.answered.load(Ordering::SeqCst) == 1))
    }

    /// Asks when there is somebody to be asked, and says how it went.
    fn ask(&self, endpoint: &str, time: Duration) {
        let board = self.board;
        while board.listening.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let ask = |time| match board.listening.load(Ordering::SeqCst) {
            2 => Err(Status::bare(Code::Unavailable)),
            _ => (self.side.client)(endpoint, time),
        };
        let mut next = ask(time);
        let answered = if next.is_ok() { 1 } else { 2 };
        board.answered.store(answered, Ordering::SeqCst);
        let mut left = BURST;
        loop {
            let again = match &next {
                Ok(()) => false,
                // A server that has left one client waits for the next, as it should: here it is.
                // How slow the host was for the one before is no reason to stay away.
                Err(_) if self.side.serves => board.over.load(Ordering::SeqCst) == 0,
                Err(status) => left > 0 && status.code() != Code::DeadlineExceeded,
            };
            if !again {
                return;
            }
            left = left.saturating_sub(1);
            next = ask(SHORT);
        }
    }

    fn judged(&self, swept: &Swept, fault: Fault, answered: bool) -> Result<(), String> {
        let repeated = swept.failed.is_none_or(|number| REPEATED.contains(&number));
        let silent = answered || !repeated || !self.is_invisible(fault);
        let wrong = match swept {
            Swept { hung: true, .. } => "it hangs".to_owned(),
            Swept {
                status: 0, leaked, ..
            } if !leaked.is_empty() => format!("it leaks {leaked:?}"),
            Swept { status: 0, .. } if silent => return Ok(()),
            Swept { status: 0, .. } => "the caller sees it".to_owned(),
            Swept { status, .. } => format!("it ended with {status}"),
        };
        Err(format!(
            "{fault:?}, system call {:?}: {wrong}",
            swept.failed
        ))
    }
}
