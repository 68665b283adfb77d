//! How soon a handler of another process is dropped once nobody wants its answer.

use crate::counted::runtime;
use crate::target::{Target, Transport, now_nanos};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_testkit::calculator::CalculatorClient;
use rpc_testkit::identities::Identities;
use std::future::{Future, poll_fn};
use std::io::{PipeReader, Read};
use std::task::Poll;
use std::time::Duration;

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
        let (mut events, tell) = std::io::pipe().expect("a pipe");
        let there = target.start(&identities, Some(tell.into()));
        let options = transport.client(&identities);
        runtime(2).block_on(async {
            let connection = options.connect(&there.endpoint).await.expect("connect");
            let calculator = CalculatorClient::new(connection);
            let cx = Context::new();
            // So that the service is named, and a call goes out when it is first polled.
            assert_eq!(calculator.add(&cx, 2, 3).await, Ok(5));
            for _ in 0..calls {
                let mut call = Box::pin(calculator.never(&cx));
                let sent = poll_fn(|task| Poll::Ready(call.as_mut().poll(task).is_pending()));
                assert!(sent.await, "it never answers");
                assert_eq!(next(&mut events), 0, "it runs");
                let begun = now_nanos();
                drop(call);
                let took = Duration::from_nanos(next(&mut events).saturating_sub(begun));
                tally.time(took);
                tally.trial(match push || took < SOON {
                    true => Ok(()),
                    false => Err(format!("{took:.1?}")),
                });
            }
        });
        lab.enter(tally);
    }
}

fn next(events: &mut PipeReader) -> u64 {
    let mut word = [0; 8];
    events.read_exact(&mut word).expect("it lives");
    u64::from_le_bytes(word)
}
