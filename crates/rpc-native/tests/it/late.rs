//! A call whose last bytes come when its time is over.

use crate::raw::{DEADLINE, LAST, RETURN, Raw, bind, call, hello};
use crate::reads::reads;
use crate::remote::PATIENCE;
use ipc_core::ByteSource;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Router, Server, Status, service};
use rpc_native::Options;
use rpc_transport::Wire;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[service(name = "late.v1.Counter")]
trait Counter {
    async fn count(&self, cx: &Context, text: String) -> Result<u64, Status>;
}

#[derive(Clone, Default)]
struct Counted(Arc<AtomicU64>);

impl Counter for Counted {
    async fn count(&self, _: &Context, _: String) -> Result<u64, Status> {
        Ok(self.0.fetch_add(1, Relaxed))
    }
}

#[test]
fn a_call_whose_end_comes_when_its_time_is_over_does_not_run() {
    let _watchdog = watchdog(PATIENCE);
    let hour = Duration::from_secs(3_600);
    for (timeout, in_time) in [(hour, true), (Duration::from_millis(1), false)] {
        let (near, far) = Wire::pair().expect("a pair");
        let text = crate::raw::text("some words");
        let micros = u64::try_from(timeout.as_micros()).expect("an hour");
        let micros = micros.to_le_bytes();
        let call = call(1, "Count", LAST | DEADLINE, &[&micros, &text]);
        let (first, last) = call.split_at(call.len() - 5);
        let greeting = [hello(), bind(1, 1, &COUNTER_SERVICE)].concat();
        let pieces = [
            (Duration::ZERO, greeting),
            (Duration::ZERO, first.to_vec()),
            (Duration::from_millis(2), last.to_vec()),
        ];
        let far = Arc::new(Raw::over(far));
        // A piece comes with each read, after some time.
        let (sends, pieces) = (Arc::clone(&far), Mutex::new(VecDeque::from(pieces)));
        let near = reads(near, move |wire, buffer, until| {
            if let Some((time, piece)) = pieces.lock().expect("no panic").pop_front() {
                let end = Instant::now() + time;
                while Instant::now() < end {
                    std::thread::yield_now();
                }
                sends.send(&piece);
            }
            wire.read_until(buffer, until)
        });
        let counted = Counted::default();
        let router = Router::new().service(CounterServer::new(counted.clone()));
        let mut session = Options::new().session(near, Server::new(router).served());
        assert_eq!(session.serve_next(), Ok(true), "the greeting");
        assert_eq!(session.serve_next(), Ok(true), "the call");
        drop(session);
        let mut far = Arc::into_inner(far).expect("it has ended");
        let came = far.next_of_a_call().expect("a return");
        let (code, runs) = match in_time {
            true => (Code::Ok, 1),
            false => (Code::DeadlineExceeded, 0),
        };
        assert_eq!(came.kind, RETURN);
        assert_eq!(Code::from_number(came.payload[0]), code);
        assert_eq!(counted.0.load(Relaxed), runs);
    }
}
