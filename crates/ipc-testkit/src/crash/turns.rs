//! Two processes that wait for each other, in quiet and under a storm of signals.

use super::{Forked, Tally};
use crate::{Storm, shared_words};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Two that both sleep for longer have lost a wake-up. On a slow host one of them runs.
const STALL: Duration = Duration::from_secs(1);
/// How long the players of one comparison have. A hang is a failure, a slow host is none.
const LIMIT: Duration = Duration::from_secs(30);

/// C5: `pairs` of processes, which take turns until there were `rounds` in all. In `turn` the
/// player of a pair, the first or the second, does its half of a round: it wakes the other, and
/// is woken by it. Fails where both of a pair sleep and nothing has happened for a second.
///
/// With as many pairs as processors a wake-up meets running threads and sleeping ones, and costs
/// no processor's own awakening.
pub fn ping_pong(tally: &mut Tally, rounds: u64, pairs: usize, turn: impl Fn(usize, bool)) {
    let each = rounds / pairs as u64;
    let counts = shared_words(pairs);
    let play = |pair: usize, first: bool| {
        for _ in 0..each {
            turn(pair, first);
            if first {
                counts[pair].fetch_add(1, SeqCst);
            }
        }
    };
    let players: Vec<Forked> = (0..pairs)
        .flat_map(|pair| [true, false].map(|first| (pair, first)))
        .map(|(pair, first)| Forked::new(|| play(pair, first)))
        .collect();
    let mut seen = vec![(0, Instant::now()); pairs];
    while seen.iter().any(|(count, _)| *count < each) {
        std::thread::sleep(Duration::from_millis(2));
        for (pair, (count, since)) in seen.iter_mut().enumerate() {
            let now = counts[pair].load(SeqCst);
            if now != *count {
                tally.time(since.elapsed());
                (*count, *since) = (now, Instant::now());
                continue;
            }
            let both = &players[2 * pair..2 * pair + 2];
            let stands = *count < each && since.elapsed() > STALL;
            if stands && (sleep_for_good(both) || since.elapsed() > LIMIT) {
                tally.trial(Err(format!("pair {pair} hangs in round {now} of {each}")));
                return;
            }
        }
    }
    let finished = players
        .into_iter()
        .filter_map(|player| player.finished().then_some(()));
    match finished.count() == 2 * pairs {
        true => (0..each * pairs as u64).for_each(|_| tally.trial(Ok(()))),
        false => tally.trial(Err("a player failed".into())),
    }
}

/// Whether both sleep, and neither had a turn between: one after the other is found asleep also
/// where they wake each other in turn, as they do where this process is late to look.
fn sleep_for_good(both: &[Forked]) -> bool {
    let turns = |player: &Forked| {
        let turns = std::fs::read_to_string(format!("/proc/{}/schedstat", player.id()));
        turns.unwrap_or_default()
    };
    let before: Vec<_> = both.iter().map(turns).collect();
    let asleep = both.iter().all(Forked::is_asleep);
    asleep && both.iter().map(turns).eq(before)
}

/// C7: what two processes do together comes out the same under ten thousand signals a second at
/// each of them as in quiet, again and again for `time`. `scene` is set anew each time; a player,
/// the first or the second, returns what it has seen, as a number.
pub fn calm_and_stormy<S>(
    tally: &mut Tally,
    time: Duration,
    scene: impl Fn() -> S,
    player: impl Fn(&S, bool) -> u64,
) {
    let seen = shared_words(2);
    let play = |stormy: bool| {
        let scene = scene();
        let players = [0, 1].map(|at| {
            seen[at].store(0, SeqCst);
            Forked::new(|| {
                let storm = stormy.then(Storm::here);
                while storm.as_ref().is_some_and(|storm| storm.sent() == 0) {
                    std::thread::yield_now();
                }
                // Never 0, which is nothing.
                let outcome = player(&scene, at == 0).wrapping_mul(2) + 1;
                drop(storm);
                seen[at].store(outcome, SeqCst);
            })
        });
        let start = Instant::now();
        let ends = || players.iter().all(Forked::is_over);
        while !ends() && start.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
        seen.iter()
            .map(|word| word.load(SeqCst))
            .collect::<Vec<_>>()
    };
    let start = Instant::now();
    while tally.failures == 0 && (tally.trials == 0 || start.elapsed() < time) {
        let (calm, stormy) = (play(false), play(true));
        tally.trial(match calm == stormy && !calm.contains(&0) {
            true => Ok(()),
            false => Err(format!("in quiet {calm:?}, under signals {stormy:?}")),
        });
    }
}
