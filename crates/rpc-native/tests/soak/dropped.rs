//! How soon a handler of another process is dropped once nobody wants its answer.

use crate::counted::runtime;
use crate::target::{Target, Transport, now_nanos};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_testkit::calculator::CalculatorClient;
use rpc_testkit::identities::Identities;
use std::io::{PipeReader, Read};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// How long it may take from the drop of the call to that of its handler.
const SOON: Duration = Duration::from_millis(10);

/// Calls that are dropped, each of which drops its handler.
pub(crate) fn calls_reach_their_handlers(lab: &mut Lab) {
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    let push = lab.tier == Tier::Push;
    let calls = lab.count(50, 10_000, 100_000);
    let identities = Identities::new();
    for transport in Transport::ALL {
        let what = format!("calls over {transport:?}, dropped: until the handler is");
        let mut tally = Tally::new("drop", what);
        let target = Target {
            transport,
            ..Target::default()
        };
        let (events, tell) = std::io::pipe().expect("a pipe");
        let there = target.start(&identities, Some(tell.into()));
        let options = transport.client(&identities);
        let (words, mut told) = tokio::sync::mpsc::unbounded_channel();
        let telling = std::thread::spawn(move || read(events, &words));
        runtime(2).block_on(async {
            let connection = options.connect(&there.endpoint).await.expect("connect");
            let calculator = CalculatorClient::new(connection);
            let cx = Context::new();
            for _ in 0..calls {
                let mut call = Box::pin(calculator.never(&cx));
                // It may wait for a number that is given back: so it is awaited until it runs.
                let begins = tokio::select! {
                    ended = &mut call => panic!("it never answers, and yet {ended:?}"),
                    word = told.recv() => word,
                };
                assert_eq!(begins, Some(0), "it runs");
                let begun = now_nanos();
                drop(call);
                let ended = told.recv().await.expect("the server lives");
                let took = Duration::from_nanos(ended.saturating_sub(begun));
                tally.time(took);
                tally.trial(match push || took < SOON {
                    true => Ok(()),
                    false => Err(format!("{took:.1?}")),
                });
            }
        });
        drop(there);
        telling.join().expect("no panic");
        lab.enter(tally);
    }
}

/// What the server tells of its handlers, until it ends.
fn read(mut events: PipeReader, words: &UnboundedSender<u64>) {
    let mut word = [0; 8];
    while events.read_exact(&mut word).is_ok() {
        let _ = words.send(u64::from_le_bytes(word));
    }
}
