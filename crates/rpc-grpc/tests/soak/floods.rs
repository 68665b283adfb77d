//! D1 and D2: streams that are reset and frames that do nothing, a million of each, while another
//! client is served.

use crate::frames::{FLOODS, Frames, RESETS, flood, goodbye};
use crate::there::{PATIENCE, There, p99, runtime, timed};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::watchdog;
use rpc_testkit::inventory::StockClient;
use std::time::{Duration, Instant};

/// Within so many a connection is cut.
const MANY: u32 = 1_100;
/// What a server may hold more after a flood.
const SLACK_KIB: u64 = 16 * 1024;

/// D1: rapid resets, and requests that make the server reset them.
pub(crate) fn of_resets(lab: &mut Lab) {
    for (name, what, reason) in RESETS {
        attack(lab, "D1", &Attack { name, what, reason });
    }
}

/// D2: frames that ask or tell nothing of a request.
pub(crate) fn of_frames(lab: &mut Lab) {
    for (name, what, reason) in FLOODS {
        attack(lab, "D2", &Attack { name, what, reason });
    }
}

struct Attack {
    name: &'static str,
    what: Frames,
    reason: u32,
}

/// How long another's calls took: without an attack, in the same number with one, and while it
/// went on.
#[derive(Default)]
struct Times {
    calm: Vec<Duration>,
    stormy: Vec<Duration>,
    meanwhile: Vec<Duration>,
}

/// First one connection that goes on for a million though it is cut, then as many connections of
/// 1,100 as make a million together; another client calls all the time, and in some rounds it is
/// measured, without and with one.
fn attack(lab: &mut Lab, claim: &'static str, attack: &Attack) {
    let total = u32::try_from(lab.count(4_400, 1_000_000, 10_000_000)).expect("not so many");
    let calls = usize::try_from(lab.count(20, 500, 500)).expect("few");
    let rounds = total.div_ceil(MANY);
    let _watchdog = watchdog(PATIENCE);
    let mut tally = Tally::new(claim, attack.name);
    let there = There::start();
    let mut times = Times::default();
    let (mut before, mut most, mut longest) = (0, 0, Duration::ZERO);
    runtime(2).block_on(async {
        let stock = StockClient::new(there.connect().await);
        for round in 0..=rounds {
            let measured = if round % 10 == 0 { calls } else { 0 };
            let quiet = timed(&stock, measured, || false).await;
            let (endpoint, what) = (there.endpoint.clone(), attack.what);
            let sent = if round == 0 { total } else { MANY };
            let begun = Instant::now();
            let flooding = tokio::task::spawn_blocking(move || flood(&endpoint, what, sent));
            let loud = timed(&stock, 1, || !flooding.is_finished()).await;
            let (came, ended) = flooding.await.expect("no panic");
            longest = longest.max(begun.elapsed());
            tally.trial(judged(attack, &came, ended, &mut most));
            let left = measured.saturating_sub(loud.as_ref().map_or(0, Vec::len));
            let after = timed(&stock, left, || false).await;
            match (quiet, loud, after) {
                (Ok(quiet), Ok(loud), Ok(after)) if measured > 0 => {
                    times.calm.extend(quiet);
                    times.meanwhile.extend(&loud);
                    times.stormy.extend(loud.into_iter().chain(after));
                }
                (Ok(_), Ok(_), Ok(_)) => {}
                (Err(failure), ..) | (_, Err(failure), _) | (.., Err(failure)) => {
                    tally.fail(failure);
                }
            }
            // What the first rounds leave behind is what the allocator keeps.
            if round == 10.min(rounds / 2) {
                before = there.resident_kib();
            }
        }
    });
    let grown = there.resident_kib().saturating_sub(before);
    if grown > SLACK_KIB {
        tally.fail(format!("{grown} KiB more"));
    }
    let (calm, stormy) = (p99(&mut times.calm), p99(&mut times.stormy));
    if lab.tier != Tier::Push && stormy >= 2 * calm {
        tally.fail(format!(
            "another's p99 went from {calm:.0?} to {stormy:.0?}"
        ));
    }
    tally.note(format!(
        "{total} sent, at most {most} streams taken, cut within {longest:.0?}, rss +{grown} KiB, \
         another's p99 {calm:.0?} without, {stormy:.0?} with, {:.0?} until the cut",
        p99(&mut times.meanwhile)
    ));
    lab.enter(tally);
    there.server.kill();
}

fn judged(attack: &Attack, came: &[u8], ended: bool, most: &mut u32) -> Result<(), String> {
    if !ended {
        return Err(format!("it was not cut within {MANY}"));
    }
    let Some(last) = goodbye(came) else {
        return Err("no goodbye".to_owned());
    };
    if last.reason != attack.reason {
        return Err(format!("another goodbye: {last:?}"));
    }
    let streams = last.last_stream.div_ceil(2);
    *most = (*most).max(streams);
    match streams > MANY {
        true => Err(format!("{streams} streams were taken")),
        false => Ok(()),
    }
}
