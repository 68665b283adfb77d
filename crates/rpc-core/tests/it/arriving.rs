//! A call whose message comes while it is read.

use bytes::Buf;
use rpc_core::{Arriving, Came, Code, Context, DirectRequest, Protobuf, Router, Status, innermost};
use rpc_testkit::calculator::{Adder, CALCULATOR_SERVICE, CalculatorServer};
use std::time::{Duration, Instant};

/// Bytes that are all here at a moment, and not before.
struct Until(Instant, &'static [u8]);

impl Buf for Until {
    fn remaining(&self) -> usize {
        self.1.len()
    }
    fn chunk(&self) -> &[u8] {
        while Instant::now() < self.0 {
            std::hint::spin_loop();
        }
        self.1
    }
    fn advance(&mut self, count: usize) {
        self.1.advance(count);
    }
}

impl Arriving for Until {
    fn outcome(&self) -> Result<(), Status> {
        Ok(())
    }
}

#[test]
fn a_message_that_takes_longer_than_its_call_may_runs_nothing() {
    let router = Router::new().service(CalculatorServer::new(Adder));
    let mut methods = CALCULATOR_SERVICE.methods().iter();
    let method = methods
        .find(|method| method.name == "Add")
        .expect("it adds");
    let target = innermost(&router, method);
    assert!(target.serves_directly(method));
    let hour = Duration::from_secs(3_600);
    for (timeout, in_time) in [(hour, true), (Duration::from_millis(2), false)] {
        let (now, mut answers) = (Instant::now(), 0);
        let mut bytes = Until(now + Duration::from_millis(3), &[8, 2, 16, 3]);
        let mut give = |_: &dyn rpc_core::Wire| answers += 1;
        let outcome = target.serve_directly(&mut DirectRequest {
            method,
            context: Context::new().deadline(now + timeout),
            now,
            codec: &Protobuf,
            message: Came::Arriving(&mut bytes),
            give: &mut give,
        });
        match outcome.expect("it serves") {
            Ok(()) => assert!(in_time),
            Err(status) => {
                assert!(status.did_not_run() && !in_time);
                assert_eq!(status.code(), Code::DeadlineExceeded);
            }
        }
        assert_eq!(answers == 1, in_time);
    }
}
