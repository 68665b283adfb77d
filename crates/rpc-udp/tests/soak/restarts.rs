//! Calls that must not run twice, through chaos, while their server is killed and started again.

use crate::chaos::Chaos;
use crate::ledger::LedgerClient;
use crate::remote::{Remote, options};
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::{Role, TempDir, watchdog};
use rpc_core::{Code, Context, Status};
use rpc_udp::Connection;
use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CALLERS: u64 = 64;

impl Remote {
    /// A server that writes each entry to `log`, after its number among the servers.
    fn logging(place: &str, life: u64, log: &File) -> Self {
        let role = Role::new("server").argument(place).argument(life);
        Self::told(role, |role| role.descriptor(log).spawn())
    }
}

/// Without deaths: every call is answered, and runs exactly once.
pub(crate) fn none(lab: &mut Lab) {
    let calls = lab.count(4_000, 100_000, 1_000_000);
    experiment(lab, calls, false);
}

/// With deaths: what is not idempotent runs once or not at all, and is told which of the two
/// where that is known.
pub(crate) fn now_and_then(lab: &mut Lab) {
    let calls = lab.count(4_000, 100_000, 1_000_000);
    experiment(lab, calls, true);
}

fn experiment(lab: &mut Lab, calls: u64, deaths: bool) {
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    let directory = TempDir::new();
    let path = directory.join("log");
    let log = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .expect("a file");
    let remote = Remote::logging("udp:127.0.0.1:0", 1, &log);
    let chaos = Chaos::before(remote.address());
    chaos.set(200, 200, 200);
    let done = Arc::new(AtomicBool::new(false));
    let killing = (Arc::clone(&done), log.try_clone().expect("a descriptor"));
    // Where it dies, by a thread of its own; else it lives until all is checked.
    let (killer, _alive) = match deaths {
        true => (
            Some(std::thread::spawn(move || {
                kill(remote, &killing.1, &killing.0)
            })),
            None,
        ),
        false => (None, Some(remote)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let outcomes = runtime.block_on(call(&chaos.endpoint(), calls));
    done.store(true, Ordering::Relaxed);
    let lives = killer.map_or(1, |killer| killer.join().expect("no panic"));
    let what = format!("{calls} calls through chaos, {lives} lives of the server");
    let mut tally = Tally::new("U", what);
    let log = std::fs::read_to_string(&path).expect("the log");
    let told = check(&mut tally, &log, &outcomes, deaths);
    tally.note(format!("{told}; {}", chaos.told()));
    lab.enter(tally);
}

/// Kills the server and starts it again, a few times a second; how many lives it had.
fn kill(mut remote: Remote, log: &File, done: &AtomicBool) -> u64 {
    let mut lives = 1;
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(400));
        remote.server.kill();
        remote.server.wait_dead();
        lives += 1;
        let place = remote.endpoint.clone();
        remote = Remote::logging(&place, lives, log);
    }
    lives
}

/// What became of each call, by its name.
type Outcomes = HashMap<String, Result<u32, Status>>;

async fn call(endpoint: &str, calls: u64) -> Outcomes {
    let patient = options().connect_timeout(Duration::from_secs(600)).clone();
    let connection = patient.connect(endpoint).await.expect("some server lives");
    let (next, outcomes) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(Mutex::new(HashMap::new())),
    );
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let ledger = LedgerClient::new(connection.clone());
            tokio::spawn(caller(
                ledger,
                calls,
                Arc::clone(&next),
                Arc::clone(&outcomes),
            ))
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic");
    }
    std::mem::take(&mut *outcomes.lock().expect("no panic"))
}

async fn caller(
    ledger: LedgerClient<Connection>,
    calls: u64,
    next: Arc<AtomicU64>,
    outcomes: Arc<Mutex<Outcomes>>,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= calls {
            return;
        }
        let cx = Context::new().timeout(Duration::from_secs(600));
        let (name, outcome) = match number % 8 {
            0 => {
                let name = format!("again {number}");
                (name.clone(), ledger.put_again(&cx, name).await)
            }
            _ => {
                let name = format!("once {number}");
                (name.clone(), ledger.put(&cx, name).await)
            }
        };
        outcomes.lock().expect("no panic").insert(name, outcome);
    }
}

/// Holds what ran against what was told; in words, what that was.
fn check(tally: &mut Tally, log: &str, outcomes: &Outcomes, deaths: bool) -> String {
    let mut ran: HashMap<&str, HashMap<&str, u32>> = HashMap::new();
    for line in log.lines() {
        let (life, name) = line.split_once(' ').expect("written so");
        *ran.entry(name).or_default().entry(life).or_default() += 1;
    }
    let (mut answered, mut may_have, mut had_not, mut refused) = (0_u64, 0_u64, 0_u64, 0_u64);
    for (name, outcome) in outcomes {
        let lives = ran.get(&name[..]);
        let runs: u32 = lives.map_or(0, |lives| lives.values().sum());
        let once = name.starts_with("once");
        let told = match outcome {
            Ok(_) => {
                answered += 1;
                if once { runs == 1 } else { runs >= 1 }
            }
            Err(status) if status.did_not_run() => {
                refused += 1;
                runs == 0
            }
            // What is idempotent goes on until it is answered.
            Err(status) => {
                may_have += 1;
                had_not += u64::from(runs == 0);
                once && deaths && runs <= 1 && status.code() == Code::Unavailable
            }
        };
        let words = || format!("{name}: {outcome:?}, and it ran in {lives:?}");
        tally.trial(told.then_some(()).ok_or_else(words));
    }
    if answered == 0 || (deaths && may_have == 0) {
        tally.fail("nothing was tried".to_owned());
    }
    format!(
        "{answered} answered, {refused} did not run, {may_have} may have run, of which {had_not} \
         had not"
    )
}
