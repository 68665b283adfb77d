//! R18: each system call of a client and of a server, awaited and blocking, fails in each way; and
//! what comes of a peer over shared memory that dies or writes garbage.

#[path = "crash/shm_deaths.rs"]
mod shm_deaths;
#[path = "crash/shm_garbage.rs"]
mod shm_garbage;
#[path = "crash/shm_sides.rs"]
mod shm_sides;

use ipc_testkit::crash::{Fault, Forked, Lab, Swept, Tally, fail_at_call, laboratory};
use ipc_testkit::{TempDir, shared_words};
use libc::c_long;
use rpc_core::{Channel, Code, Context, Router, Server, Status, block_on};
use rpc_native::{Limits, Options};
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a call may take that a fault may have broken.
const SHORT: Duration = Duration::from_millis(100);
/// And one that a fault must not break.
const LONG: Duration = Duration::from_secs(4);
/// "Again" without end is what it says: to wait without end. It is said so often in a row.
const BURST: u64 = 50;

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
const REPEATED: [c_long; 12] = [
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
    libc::SYS_accept4,
];

/// What the other process and the tracer know of the copy.
struct Board {
    /// 1 when it listens, 2 when it cannot.
    listening: &'static AtomicU64,
    /// 1 where the client got its answers, 2 where it was told a failure.
    answered: &'static AtomicU64,
}

#[derive(Clone, Copy)]
struct Side {
    what: &'static str,
    awaited: bool,
    serves: bool,
}

const SIDES: [Side; 4] = [
    Side {
        what: "a blocking client",
        awaited: false,
        serves: false,
    },
    Side {
        what: "an awaited client",
        awaited: true,
        serves: false,
    },
    Side {
        what: "a blocking server",
        awaited: false,
        serves: true,
    },
    Side {
        what: "an awaited server",
        awaited: true,
        serves: true,
    },
];

fn main() -> ExitCode {
    laboratory(&[
        ("errors", every_system_call_fails),
        ("shm: a server dies", shm_deaths::of_a_server),
        ("shm: a client dies", shm_deaths::of_a_client),
        ("shm: garbage of a client", shm_garbage::of_a_client),
        ("shm: garbage of a server", shm_garbage::of_a_server),
    ])
}

fn every_system_call_fails(lab: &mut Lab) {
    // The first runtime of a process may make a pair of sockets for signals, which stays.
    drop(runtime());
    let words = shared_words(2);
    let board = Board {
        listening: &words[0],
        answered: &words[1],
    };
    let directory = TempDir::new();
    let wanted = lab.count(500, 20_000, 100_000) / SIDES.len() as u64;
    for side in SIDES {
        let mut tally = Tally::new("R18", format!("{}: call, errno, once or often", side.what));
        match sweep(lab, side, &board, &directory, &mut tally, wanted) {
            Ok(note) => tally.note(note),
            Err(reason) => tally.skip(reason),
        }
        lab.enter(tally);
    }
}

/// So many of all triples, spread evenly over them.
fn sweep(
    lab: &mut Lab,
    side: Side,
    board: &Board,
    directory: &TempDir,
    tally: &mut Tally,
    wanted: u64,
) -> Result<String, String> {
    let none = Fault {
        call: u64::MAX,
        errno: libc::EIO,
        times: 1,
    };
    let (quiet, answered) = trial(side, board, directory, none)?;
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
        let (swept, answered) = trial(side, board, directory, fault)?;
        answers += u64::from(answered);
        failed.extend(swept.failed);
        tally.trial(judged(&swept, fault, side, answered));
    }
    Ok(format!(
        "of {triples}; {} kinds of call failed, {answers} runs went on as if nothing had",
        failed.len()
    ))
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

/// What is interrupted is repeated without a word; so is "again", but by an event loop, which
/// waits for the next event: the kernel says it only where there will be one.
fn is_invisible(side: Side, fault: Fault) -> bool {
    fault.errno == libc::EINTR || (fault.errno == libc::EAGAIN && !side.awaited)
}

fn may_fail(side: Side, fault: Fault, number: i64, argument: u64) -> bool {
    let asleep = [libc::SYS_epoll_wait, libc::SYS_epoll_pwait].contains(&number);
    // The runtime panics where what it sleeps and is woken by fails, which is not ours to mend.
    let sleeps = side.awaited && asleep && fault.errno != libc::EINTR;
    let wakes = side.awaited && [libc::SYS_read, libc::SYS_write].contains(&number);
    let says_a_panic = number == libc::SYS_write && argument == 2;
    !NEVER_FAIL.contains(&number) && !sleeps && !wakes && !says_a_panic
}

/// One run with one fault, and whether the client got its answers.
fn trial(
    side: Side,
    board: &Board,
    directory: &TempDir,
    fault: Fault,
) -> Result<(Swept, bool), String> {
    let listening = board.listening;
    listening.store(0, Ordering::SeqCst);
    board.answered.store(0, Ordering::SeqCst);
    let path = directory.join("socket");
    let endpoint = format!("unix:{}", path.display());
    let time = if is_invisible(side, fault) {
        LONG
    } else {
        SHORT
    };
    let may_fail = |number, argument| may_fail(side, fault, number, argument);
    let serve = |awaited| server(board, &endpoint, awaited);
    let ask = |awaited| client(board, &endpoint, awaited, time);
    let swept = if side.serves {
        let client = Forked::new(|| ask(!side.awaited));
        let swept = fail_at_call(|| serve(side.awaited), may_fail, fault, PATIENCE);
        // Where it never came so far, nobody need wait for it.
        let _ = listening.compare_exchange(0, 2, Ordering::SeqCst, Ordering::SeqCst);
        // Whatever became of its server, a client ends by its deadline.
        match client.status() {
            0 => swept,
            status => swept.map(|swept| Swept { status, ..swept }),
        }
    } else {
        let server = Forked::new(|| serve(!side.awaited));
        let swept = fail_at_call(|| ask(side.awaited), may_fail, fault, PATIENCE);
        server.kill();
        swept
    }?;
    for name in std::fs::read_dir(directory.join(""))
        .into_iter()
        .flatten()
        .flatten()
    {
        let _ = std::fs::remove_file(name.path());
    }
    Ok((swept, board.answered.load(Ordering::SeqCst) == 1))
}

fn judged(swept: &Swept, fault: Fault, side: Side, answered: bool) -> Result<(), String> {
    let repeated = swept.failed.is_none_or(|number| REPEATED.contains(&number));
    let silent = answered || !repeated || !is_invisible(side, fault);
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

fn options() -> Options {
    let mut limits = Limits::new();
    // A side that waits for the other's first word, or for the rest of a frame, has less time
    // than a run.
    limits
        .handshake_timeout(Duration::from_secs(2))
        .frame_timeout(Duration::from_secs(2));
    let mut options = Options::new();
    options
        .limits(limits)
        .connect_timeout(Duration::from_secs(2))
        .clone()
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Serves one client, and ends with it.
fn server(board: &Board, endpoint: &str, awaited: bool) {
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    let outcome = match awaited {
        false => options()
            .bind_blocking(endpoint, served)
            .and_then(|listener| {
                board.listening.store(1, Ordering::SeqCst);
                listener.accept().and_then(rpc_native::BlockingSession::run)
            }),
        true => runtime().map_err(failed).and_then(|runtime| {
            runtime.block_on(async {
                let serving = options().bind(endpoint)?;
                let stopper = serving.stopper();
                board.listening.store(1, Ordering::SeqCst);
                let router = Router::new().service(CalculatorServer::new(Adder));
                let server = tokio::spawn(Server::new(router).with(serving)?.run());
                // It has no end of its own: the client's is its end.
                while board.answered.load(Ordering::SeqCst) == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                stopper.stop();
                server
                    .await
                    .map_err(|error| Status::new(Code::Internal, error.to_string()))?
            })
        }),
    };
    if outcome.is_err() {
        let _ = board
            .listening
            .compare_exchange(0, 2, Ordering::SeqCst, Ordering::SeqCst);
    }
}

fn failed(error: std::io::Error) -> Status {
    Status::new(Code::Unavailable, error.to_string())
}

/// Makes three calls and says how they went.
fn client(board: &Board, endpoint: &str, awaited: bool, time: Duration) {
    while board.listening.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let outcome = ask(board, endpoint, awaited, time);
    let answered = if outcome.is_ok() { 1 } else { 2 };
    board.answered.store(answered, Ordering::SeqCst);
    // A server that has left one client waits for the next, as it should: here it is, and it goes
    // away for good where nobody listens or answers any more.
    let mut left = BURST;
    let mut next = outcome;
    while left > 0 && next.is_err_and(|status| status.code() != Code::DeadlineExceeded) {
        left -= 1;
        next = ask(board, endpoint, awaited, SHORT);
    }
}

fn ask(board: &Board, endpoint: &str, awaited: bool, time: Duration) -> Result<(), Status> {
    match awaited {
        _ if board.listening.load(Ordering::SeqCst) == 2 => Err(Status::bare(Code::Unavailable)),
        false => options()
            .connect_blocking(endpoint)
            .and_then(|connection| block_on(calls(connection, time))),
        true => runtime().map_err(failed).and_then(|runtime| {
            runtime.block_on(async { calls(options().connect(endpoint).await?, time).await })
        }),
    }
}

async fn calls(channel: impl Channel, time: Duration) -> Result<(), Status> {
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
