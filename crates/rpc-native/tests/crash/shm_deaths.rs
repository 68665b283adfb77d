//! R2: one side of calls over shared memory is killed at any moment; the other is told within a
//! second, with every call that is under way, and nothing is left of either.

use crate::shm_sides::{
    Host, await_the_end, call_until_the_end, runtime, serve_awaited, serve_until_the_end, spin,
};
use ipc_testkit::crash::{Forked, Lab, Tally};
use ipc_testkit::{shared_words, soak};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rpc_core::{Code, Status};
use std::cell::RefCell;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// What a call has: a death is told long before.
const LONG: Duration = Duration::from_secs(60);
/// How long after a death a call may still be under way.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// Until when after its start a side is killed: in its greeting, or in a call.
const LIFE: Duration = Duration::from_millis(4);

pub(crate) fn of_a_server(lab: &mut Lab) {
    let host = Host::default();
    sides(lab, "server", |socket| {
        serve_until_the_end(socket, &host);
    });
}

pub(crate) fn of_a_client(lab: &mut Lab) {
    sides(lab, "client", |socket| {
        call_until_the_end(socket, LONG);
    });
}

fn sides(lab: &mut Lab, victim: &str, part: impl Fn(ipc_uds::SeqPacket)) {
    let runtime = runtime();
    let host = Host::default();
    let blocking = |socket| match victim {
        "server" => Some(call_until_the_end(socket, LONG)),
        _ => {
            serve_until_the_end(socket, &host);
            None
        }
    };
    kills(lab, &format!("{victim} (blocking pair)"), &part, blocking);
    // The one that dies is of the other kind: what waits for an answer that never comes.
    let awaits = |socket: ipc_uds::SeqPacket| {
        let runtime = crate::shm_sides::runtime();
        match victim {
            "server" => runtime.block_on(serve_awaited(socket, &Host::default())),
            _ => drop(runtime.block_on(await_the_end(socket, LONG))),
        }
    };
    let awaited = |socket| match victim {
        "server" => Some(runtime.block_on(async {
            let told = await_the_end(socket, LONG).await;
            while shares_memory() {
                tokio::task::yield_now().await;
            }
            told
        })),
        _ => {
            runtime.block_on(serve_awaited(socket, &host));
            // Its tasks end when they are polled next.
            runtime.block_on(async {
                while host.0.load(SeqCst) > 0 || shares_memory() {
                    tokio::task::yield_now().await;
                }
            });
            None
        }
    };
    kills(lab, &format!("{victim} (awaited pair)"), awaits, awaited);
}

/// Whether this process shares memory with another.
fn shares_memory() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    maps.contains("memfd:")
}

/// Kills who plays `part`, while this process survives at the other end.
fn kills(
    lab: &mut Lab,
    what: &str,
    part: impl Fn(ipc_uds::SeqPacket),
    survive: impl Fn(ipc_uds::SeqPacket) -> Option<Status>,
) {
    let count = lab.count(200, 10_000, 50_000);
    let after: Vec<u64> = (0..count)
        .map(|_| lab.below(LIFE.as_micros() as u64))
        .collect();
    let (begun, killed) = (&shared_words(2)[0], &shared_words(2)[1]);
    let epoch = Instant::now();
    let now = || u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let times = RefCell::new(Vec::new());
    let turn = |number: u64| {
        begun.store(0, SeqCst);
        let (ours, theirs) = ipc_uds::pair_seqpacket().map_err(|error| error.to_string())?;
        let victim = Forked::new(|| {
            begun.store(1, SeqCst);
            part(theirs.try_clone().expect("a copy"));
        });
        let id = Pid::from_raw(i32::try_from(victim.id()).expect("an id"));
        drop(theirs);
        let killer = Forked::new(|| {
            while begun.load(SeqCst) == 0 {
                std::thread::yield_now();
            }
            spin(Duration::from_micros(after[(number % count) as usize]));
            killed.store(now(), SeqCst);
            kill(id, Signal::SIGKILL).expect("it is not reaped");
        });
        let told = survive(ours);
        let late = Duration::from_nanos(now().saturating_sub(killed.load(SeqCst)));
        let killer = killer.finished();
        drop(victim);
        times.borrow_mut().push(late);
        match told {
            _ if !killer => Err("nobody was killed".into()),
            _ if late > TOLD_WITHIN => Err(format!("it was told after {late:?}")),
            Some(status) if status.code() != Code::Unavailable => Err(status.to_string()),
            _ => Ok(()),
        }
    };
    soak::repeat_freely(lab, "R2", &format!("shm: kill -9 of a {what}"), count, turn);
    let mut told = Tally::new("R2", format!("shm: told of the death of a {what}"));
    for late in times.into_inner() {
        told.time(late);
        told.trial(match late <= TOLD_WITHIN {
            true => Ok(()),
            false => Err(format!("after {late:?}")),
        });
    }
    lab.enter(told);
}
