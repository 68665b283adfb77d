//! What a lookup tells after a server, or the host of the registry itself, was killed, and when
//! it is right again.

use ipc_testkit::crash::{Forked, Lab, Tally, laboratory};
use ipc_testkit::{TempDir, shared_words};
use rpc_registry::{Embedded, Entry, Registry};
use rpc_testkit::calculator::CALCULATOR_SERVICE;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Processes that each register a server, look up all the time, and can be the host.
const MEMBERS: usize = 4;
/// Between two lookups of a member: they are the clock of the measurement.
const PACE: Duration = Duration::from_millis(1);
/// What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    laboratory(&[
        ("a server dies", a_server_dies),
        ("the host dies", the_host_dies),
    ])
}

fn a_server_dies(lab: &mut Lab) {
    let tally = Tally::new("R12", "kill -9 of a server; a lookup is right again");
    kill(lab, tally, (20, 1_000, 10_000), |board, member| {
        !board.is_host(member)
    });
}

fn the_host_dies(lab: &mut Lab) {
    let tally = Tally::new("R12", "kill -9 of the host; a lookup is right again");
    kill(lab, tally, (3, 1_000, 10_000), Board::is_host);
}

/// What the members tell each other's killer.
struct Board {
    /// For each member, who is registered by its last lookup: a bit for each, and above them how
    /// many lookups it has made.
    seen: &'static [AtomicU64],
    /// Whether each is the host.
    hosts: &'static [AtomicU64],
    /// Lookups that were without a member which was registered and lived.
    without: &'static AtomicU64,
}

impl Board {
    fn new() -> Self {
        let words = shared_words(2 * MEMBERS + 1);
        Self {
            seen: &words[..MEMBERS],
            hosts: &words[MEMBERS..2 * MEMBERS],
            without: &words[2 * MEMBERS],
        }
    }

    fn is_host(&self, member: usize) -> bool {
        self.hosts[member].load(SeqCst) == 1
    }

    fn forget(&self, member: usize) {
        self.seen[member].store(0, SeqCst);
        self.hosts[member].store(0, SeqCst);
    }

    fn lookups(&self, member: usize) -> u64 {
        self.seen[member].load(SeqCst) >> MEMBERS
    }

    /// Until each of them has seen exactly these in a lookup that began after now; whether that
    /// came within the patience.
    fn until_seen(&self, by: &[usize], exactly: u64) -> bool {
        let late = Instant::now() + PATIENCE;
        // The one that is under way does not count.
        let before: Vec<_> = by.iter().map(|member| self.lookups(*member) + 1).collect();
        let right = |member: usize, before: u64| {
            let seen = self.seen[member].load(SeqCst);
            seen >> MEMBERS > before && seen & mask(MEMBERS) == exactly
        };
        while !(by.iter().zip(&before)).all(|(member, before)| right(*member, *before)) {
            if Instant::now() > late {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }
}

/// All of so many.
const fn mask(members: usize) -> u64 {
    (1 << members) - 1
}

fn kill(
    lab: &mut Lab,
    mut tally: Tally,
    counts: (u64, u64, u64),
    may_die: impl Fn(&Board, usize) -> bool,
) {
    let (board, directory) = (Board::new(), TempDir::new());
    let place = directory.join("the registry");
    let mut members: Vec<_> = (0..MEMBERS)
        .map(|member| Forked::new(|| be(member, &place, &board)))
        .collect();
    let everybody: Vec<_> = (0..MEMBERS).collect();
    for _ in 0..lab.count(counts.0, counts.1, counts.2) {
        if !board.until_seen(&everybody, mask(MEMBERS)) {
            tally.trial(Err("they do not all come back".to_owned()));
            break;
        }
        let dying: Vec<_> = (0..MEMBERS).filter(|one| may_die(&board, *one)).collect();
        if dying.is_empty() {
            tally.trial(Err("nobody hosts the registry".to_owned()));
            break;
        }
        let victim = dying[lab.below(dying.len() as u64) as usize];
        let others: Vec<_> = (0..MEMBERS).filter(|one| *one != victim).collect();
        let killed = Instant::now();
        members[victim].kill_unreaped();
        let right = board.until_seen(&others, mask(MEMBERS) & !(1 << victim));
        tally.time(killed.elapsed());
        let hosts = others.iter().filter(|one| board.is_host(**one)).count();
        tally.trial(match (right, hosts) {
            (true, 1) => Ok(()),
            (true, hosts) => Err(format!("{hosts} hosts")),
            (false, _) => Err("no lookup is right any more".to_owned()),
        });
        board.forget(victim);
        members[victim] = Forked::new(|| be(victim, &place, &board));
    }
    tally.note(format!(
        "{} lookups were without one that lives",
        board.without.load(SeqCst)
    ));
    drop(members);
    lab.enter(tally);
}

/// Where a member says that it serves.
fn endpoint(member: usize) -> String {
    format!("unix:/run/member-{member}")
}

/// One member, until it is killed.
fn be(member: usize, place: &Path, board: &Board) {
    let place: PathBuf = place.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let registry = Embedded::at(place);
        let entry = Entry::new(&CALCULATOR_SERVICE, &endpoint(member));
        let contract = CALCULATOR_SERVICE.contract().text();
        let lease = registry.register(entry, contract).await;
        let _lease = lease.expect("registered");
        for lookups in 1.. {
            let known = registry.look_up(CALCULATOR_SERVICE.name()).await;
            let known = known.expect("an answer");
            let there = |one: usize| known.iter().any(|entry| entry.endpoint == endpoint(one));
            let seen = (0..MEMBERS).filter(|one| there(*one));
            let seen = seen.fold(0, |seen, one| seen | 1 << one);
            board.without.fetch_add(u64::from(!there(member)), SeqCst);
            board.hosts[member].store(u64::from(registry.is_host()), SeqCst);
            board.seen[member].store(lookups << MEMBERS | seen, SeqCst);
            tokio::time::sleep(PACE).await;
        }
    });
}
