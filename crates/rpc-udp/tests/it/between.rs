//! Remote means remote: calls between two network namespaces, over a wire that loses, repeats and
//! reorders packets, is cut and heals.

use crate::here::{PATIENCE, block_on};
use crate::ledger::LedgerClient;
use crate::remote::Remote;
use ipc_testkit::{skip, watchdog};
use rpc_core::{Code, Context};
use rpc_testkit::network::{Network, THERE};
use rpc_udp::Connection;
use std::time::Duration;

/// Runs `body` in a thread of its own, which a namespace can be given to, with a server on the
/// other side; why it cannot, where it cannot.
fn between<F>(body: F) -> Result<(), String>
where
    F: AsyncFnOnce(&Network, Connection) + Send + 'static,
{
    let thread = std::thread::spawn(move || {
        let network = Network::enter()?;
        let remote = Remote::at(&format!("udp:{THERE}:7000"), |role| network.spawn(role));
        block_on(async {
            let connection = remote.connect().await;
            body(&network, connection).await;
        });
        Ok(())
    });
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[test]
fn a_fifth_of_loss_repetition_and_reordering_lose_no_call_and_run_nothing_twice() {
    let _watchdog = watchdog(PATIENCE);
    let made = between(async |network, connection| {
        network.wire.delay(Duration::from_millis(1));
        network.wire.lose(200);
        network.wire.repeat(200);
        network.wire.reorder(200);
        let ledger = LedgerClient::new(connection);
        let callers = (0..50).map(|caller| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for call in 0..40 {
                    let cx = Context::new().timeout(Duration::from_secs(120));
                    let ran = ledger.put(&cx, format!("{caller}-{call}")).await;
                    assert_eq!(ran, Ok(1));
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no panic");
        }
        let totals = ledger.totals(&Context::new()).await.expect("an answer");
        assert_eq!((totals.names, totals.twice), (2_000, 0));
        let (carried, lost) = (network.wire.carried(), network.wire.lost());
        println!("{lost} packets lost, {carried} carried");
        assert!(lost > 500);
    });
    if let Err(reason) = made {
        skip!("{reason}");
    }
}

#[test]
fn a_partition_ends_calls_by_their_deadlines_and_a_healed_one_goes_on() {
    let _watchdog = watchdog(PATIENCE);
    let made = between(async |network, connection| {
        let ledger = LedgerClient::new(connection);
        assert_eq!(ledger.put(&Context::new(), "before".into()).await, Ok(1));
        network.wire.cut();
        for call in 0..5 {
            let cx = Context::new().timeout(Duration::from_millis(50));
            let late = ledger.put(&cx, format!("cut {call}")).await;
            assert_eq!(late.expect_err("no way").code(), Code::DeadlineExceeded);
        }
        let patient = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.put(&Context::new(), "patient".into()).await }
        });
        while ledger
            .put(
                &Context::new().timeout(Duration::from_millis(1)),
                "cut".into(),
            )
            .await
            .is_ok()
        {}
        network.wire.heal();
        assert_eq!(
            patient.await.expect("no panic"),
            Ok(1),
            "the same call, sent again"
        );
        let totals = ledger.totals(&Context::new()).await.expect("an answer");
        assert_eq!((totals.names, totals.twice), (2, 0), "before, and patient");
    });
    if let Err(reason) = made {
        skip!("{reason}");
    }
}
