//! D13: oneway calls without end, and what other callers of the same server notice of it.

use crate::counted::runtime;
use crate::target::Target;
use crate::victim::{Compared, Times};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::{Role, Stage, watchdog};
use rpc_core::Context;
use rpc_native::Options;
use rpc_testkit::calculator::CalculatorClient;
use rpc_testkit::identities::Identities;
use std::time::{Duration, Instant};

/// Rounds with and without it, in three processes: who spams, who calls, and the server of both.
pub(crate) fn delays_nobody(lab: &mut Lab) {
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    for threads in [2, 1] {
        delays_nobody_of(lab, threads);
    }
}

/// The server runs on so many threads.
fn delays_nobody_of(lab: &mut Lab, threads: usize) {
    let push = lab.tier == Tier::Push;
    let rounds = lab.count(1, 30, 60);
    let calls = lab.count(20_000, 1_000_000, 10_000_000) / rounds;
    let identities = Identities::new();
    let what = format!("{calls} oneway calls a round, {threads} threads: the calls of others");
    let mut tally = Tally::new("D13", what);
    let target = Target {
        threads,
        ..Target::default()
    };
    let there = target.start(&identities, None);
    let (options, mut compared) = (Options::new(), Compared::default());
    let mut spent = Duration::ZERO;
    runtime(1).block_on(async {
        let connection = options.connect(&there.endpoint).await.expect("the first");
        let way_in = (&options, &there.endpoint[..]);
        for _ in 0..rounds {
            let (mut calm, mut stormy) = (Times::default(), Times::default());
            let begun = Instant::now();
            let time = Duration::from_millis(if push { 50 } else { 200 });
            let more = || begun.elapsed() < time;
            calm.take(way_in, &connection, &mut tally, more).await;
            // It is ready before its time counts.
            let (told, tell) = std::io::pipe().expect("a pipe");
            let (over, end) = std::io::pipe().expect("a pipe");
            let spam = Role::new("spam")
                .argument(&there.endpoint)
                .argument(calls)
                .descriptor(&tell)
                .descriptor(&end)
                .spawn();
            drop((tell, end));
            std::io::read_to_string(told).expect("its word");
            let report = std::thread::spawn(move || std::io::read_to_string(over));
            let begun = Instant::now();
            let more = || !report.is_finished();
            stormy.take(way_in, &connection, &mut tally, more).await;
            spent += begun.elapsed();
            let own = report.join().expect("no panic").expect("text");
            tally.trial(
                (own == "5")
                    .then_some(())
                    .ok_or("its own call fails".into()),
            );
            spam.done();
            compared.push(calm, stormy);
        }
    });
    // The claim is on calls: of ways in there are too few in a round.
    let judged: &[&str] = if push { &[] } else { &["calls"] };
    let times = compared.enter(&mut tally, judged);
    let rate = (calls * rounds) as f64 / spent.as_secs_f64();
    tally.note(format!("{rate:.0} oneways/s; {times}"));
    lab.enter(tally);
}

/// Who spams: argument 0 is where, 1 how often. Behind it all, a call that is waited for.
pub(crate) fn spam(mut stage: Stage) {
    let calls: u64 = stage.argument(1).parse().expect("a number");
    runtime(1).block_on(async {
        let connection = rpc_native::connect(stage.argument(0)).await;
        let calculator = CalculatorClient::new(connection.expect("connect"));
        let cx = Context::new();
        drop(stage.descriptor());
        for _ in 0..calls {
            calculator.note(&cx, "spam".into()).await.expect("sent");
        }
        let sum = calculator.add(&cx, 2, 3).await.expect("answered");
        let mut end = std::fs::File::from(stage.descriptor());
        std::io::Write::write_all(&mut end, sum.to_string().as_bytes()).expect("heard");
    });
}
