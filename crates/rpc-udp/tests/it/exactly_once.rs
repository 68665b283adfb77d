//! What is not idempotent runs once, whatever the network loses, repeats and holds back.

use crate::chaos::Chaos;
use crate::here::{PATIENCE, block_on};
use crate::ledger::LedgerClient;
use crate::remote::{Remote, options};
use ipc_testkit::watchdog;
use rpc_core::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Calls one after the other, many at a time.
const CALLERS: u64 = 100;

#[test]
fn twenty_thousand_puts_through_chaos_run_exactly_once() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    let chaos = Chaos::before(remote.address());
    chaos.set(200, 200, 300);
    let begun = Instant::now();
    block_on(async {
        let connection = options()
            .connect(&chaos.endpoint())
            .await
            .expect("patience");
        let ledger = LedgerClient::new(connection);
        let next = Arc::new(AtomicU64::new(0));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (ledger, next) = (ledger.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= 20_000 {
                            return;
                        }
                        let cx = Context::new().timeout(Duration::from_secs(120));
                        let ran = ledger.put(&cx, format!("name {number}")).await;
                        assert_eq!(ran, Ok(1), "once, and its answer arrives");
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.expect("no panic");
        }
        let totals = ledger.totals(&Context::new()).await.expect("an answer");
        assert_eq!((totals.names, totals.twice), (20_000, 0));
    });
    println!("{}, {:?}", chaos.told(), begun.elapsed());
    for count in [&chaos.ways.lost, &chaos.ways.repeated, &chaos.ways.held] {
        assert!(count.load(Ordering::Relaxed) > 5_000, "{}", chaos.told());
    }
}

#[test]
fn oneway_calls_are_dropped_or_run_once() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    let chaos = Chaos::before(remote.address());
    chaos.set(200, 500, 300);
    block_on(async {
        let connection = options()
            .connect(&chaos.endpoint())
            .await
            .expect("patience");
        let ledger = LedgerClient::new(connection);
        for number in 0..2_000 {
            let sent = ledger.note(&Context::new(), format!("note {number}")).await;
            sent.expect("it is on its way");
            if number % 20 == 0 {
                // Nobody floods a socket's buffer.
                ledger.totals(&Context::new()).await.expect("an answer");
            }
        }
        chaos.set(0, 0, 0);
        let totals = ledger.totals(&Context::new()).await.expect("an answer");
        assert_eq!(totals.notes_twice, 0);
        let arrived = totals.notes;
        assert!(
            (1_000..2_000).contains(&arrived),
            "{arrived} of 2,000, by a fifth of loss"
        );
    });
}
