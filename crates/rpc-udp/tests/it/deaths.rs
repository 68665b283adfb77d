//! Servers that die, and start again.

use crate::calls::refused;
use crate::chaos::Chaos;
use crate::here::{PATIENCE, block_on};
use crate::ledger::LedgerClient;
use crate::remote::{Remote, options};
use ipc_testkit::{isolated, watchdog};
use rpc_core::{Code, Context};
use std::time::Duration;

const TURN: Duration = Duration::from_millis(10);

#[test]
fn a_killed_server_ends_every_call_within_a_second() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    block_on(async {
        let connection = remote.connect().await;
        let ledger = LedgerClient::new(connection.clone());
        let holding: Vec<_> = (0..20)
            .map(|_| {
                let ledger = ledger.clone();
                tokio::spawn(async move { ledger.hold(&Context::new()).await })
            })
            .collect();
        while ledger
            .totals(&Context::new())
            .await
            .expect("an answer")
            .held
            < 20
        {}
        remote.server.kill();
        remote.server.wait_dead();
        let all_end = async {
            for call in holding {
                let status = refused(call.await.expect("no panic"), Code::Unavailable);
                assert!(!status.did_not_run(), "it may have run: {status}");
            }
        };
        // Time counts as far as this process has its turns in it: what stands still cannot end.
        let (mut all_end, mut turns) = (std::pin::pin!(all_end), 0_u32);
        while tokio::time::timeout(TURN, &mut all_end).await.is_err() {
            turns += 1;
        }
        println!("all calls ended {:?} after the death", turns * TURN);
        assert!(turns * TURN < Duration::from_secs(1), "{turns} turns");
        let status = refused(
            ledger.put(&Context::new(), "a".into()).await,
            Code::Unavailable,
        );
        assert!(status.did_not_run(), "it was never sent: {status}");
        let refusal = options().connect(&remote.endpoint).await;
        assert!(refused(refusal, Code::Unavailable).did_not_run());
    });
}

#[test]
fn across_a_restart_idempotent_calls_go_on_and_others_may_have_run() {
    let _watchdog = watchdog(PATIENCE);
    let mut remote = Remote::start();
    // Behind it nobody hears from the host that a server is gone.
    let chaos = Chaos::before(remote.address());
    block_on(async {
        let connection = options().connect(&chaos.endpoint()).await.expect("connect");
        let ledger = LedgerClient::new(connection.clone());
        let holding = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.hold(&Context::new()).await }
        });
        while ledger
            .totals(&Context::new())
            .await
            .expect("an answer")
            .held
            < 1
        {}
        remote.server.kill();
        remote.server.wait_dead();
        let asking = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.totals(&Context::new()).await }
        });
        while connection.calls_under_way() < 2 {
            tokio::task::yield_now().await;
        }
        remote.start_again();
        let status = refused(holding.await.expect("no panic"), Code::Unavailable);
        assert!(!status.did_not_run());
        assert!(status.message().contains("started again"), "{status}");
        let totals = asking.await.expect("no panic").expect("it went on");
        assert_eq!(totals.held, 0, "another server");
        assert_eq!(ledger.put(&Context::new(), "a".into()).await, Ok(1));
    });
}

#[test]
fn a_client_and_its_calls_leave_nothing_behind() {
    // Where tokio handles signals its first runtime makes a pair of sockets for good.
    block_on(async {});
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let remote = Remote::start();
        block_on(async {
            for round in 0..20 {
                let ledger = LedgerClient::new(remote.connect().await);
                let cx = Context::new();
                assert_eq!(ledger.put(&cx, format!("{round}")).await, Ok(1));
                let short = Context::new().timeout(Duration::from_millis(1));
                refused(ledger.hold(&short).await, Code::DeadlineExceeded);
            }
        });
    });
}
