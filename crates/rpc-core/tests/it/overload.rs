//! A backend that fails always, with a hundred clients: retries do not feed the overload.

use rpc_core::layers::Retry;
use rpc_core::{Call, CallFuture, Channel, Code, Context, Status, block_on, ready};
use rpc_testkit::inventory::StockClient;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tower_layer::Layer;

const CLIENTS: u32 = 100;
const CALLS: u32 = 500;

/// Fails, and counts how often it was asked, and of which attempt.
#[derive(Clone, Default)]
struct Failing {
    asked: Arc<AtomicU32>,
    highest: Arc<AtomicU32>,
}

impl Channel for Failing {
    fn call(&self, call: Call) -> CallFuture {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.highest
            .fetch_max(call.context.attempt(), Ordering::Relaxed);
        ready(Err(Status::bare(Code::Unavailable)))
    }
}

#[test]
fn retries_add_at_most_a_tenth_to_what_is_offered_to_a_dead_backend() {
    let backend = Failing::default();
    // Each client has a bucket of its own, so that none is helped by another's.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let backend = backend.clone();
            std::thread::spawn(move || {
                for _ in 0..CLIENTS / 4 {
                    let nothing = Duration::from_nanos(1);
                    let retry = Retry::new().attempts("*", 3).backoff(nothing, nothing);
                    let stock = StockClient::new(retry.layer(backend.clone()));
                    for _ in 0..CALLS {
                        let outcome = block_on(stock.get(&Context::new(), "a".into()));
                        assert_eq!(outcome.expect_err("dead").code(), Code::Unavailable);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let offered = CLIENTS * CALLS;
    let attempts = backend.asked.load(Ordering::Relaxed);
    println!("{offered} calls of {CLIENTS} clients: {attempts} attempts");
    assert!(attempts >= offered);
    assert!(
        u64::from(attempts) * 10 <= u64::from(offered) * 11,
        "{attempts}"
    );
    assert!(
        backend.highest.load(Ordering::Relaxed) < 3,
        "three attempts a call"
    );
}
