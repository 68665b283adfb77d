//! A stream that owes: who waits to read pays, unless another is inside to send.

use crate::both_ends::wait_for_either;
use crate::ground::Turn;
use crate::machine::{below, fence, spawn};
use crate::schedules::check;
use crate::streams::{message, number};
use crate::{ErrorKind, Options, Receiver, Result, Sender, WhenFull};
use ipc_core::Until;
use shuttle::thread::yield_now;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;
use std::time::{Duration, Instant};

/// More than who gives up makes.
const STEPS: u32 = 60;

/// What is owed, as `Debt` keeps it, and both ends, as `Stream` has them.
struct Stream {
    sender: Sender,
    receiver: Receiver,
    owes: Turn<bool>,
    passed_over: AtomicBool,
}

impl Stream {
    /// As `Debt::flush` does, and `Stream::write_until`.
    fn pay(&self, until: Until) -> Result<()> {
        let owes = self.owes.take(until);
        let mut owes = owes.ok_or_else(|| until.over("flush"))?;
        if *owes {
            let loan = self.sender.loan_until(16, until);
            // The exchange is a full barrier.
            fence();
            if loan.is_err() && self.passed_over.swap(false, AcqRel) {
                self.receiver.link.ring_here();
            }
            let mut loan = loan?;
            loan.write(&message(1, false))?;
            loan.send();
            *owes = false;
        }
        Ok(())
    }

    /// As `Debt::read_paying` does, until it has paid.
    fn wait_to_read(&self) {
        while let Err(error) = self.pay(Until::Now) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            let (sender, receiver) = (&self.sender, &self.receiver);
            let waited = wait_for_either(sender, receiver, &self.passed_over, Until::Forever);
            waited.expect("the peer is there");
            // There may be room, and another about to take it, or to leave.
            yield_now();
        }
    }
}

#[test]
fn who_waits_to_read_pays_what_another_gave_up() {
    check("stream: one reads and owes, one gives up sending", || {
        let options = Options::new(1, WhenFull::Block);
        let ((sender, theirs), (their_end, receiver)) = (options.pair(), options.pair());
        sender.send(&message(0, false)).expect("there is room");
        let stream = Arc::new(Stream {
            sender,
            receiver,
            owes: Turn::new(true),
            passed_over: AtomicBool::new(false),
        });
        let takes = spawn(move || {
            // There is no room for a while.
            (0..below(STEPS)).for_each(|_| fence());
            let mut buffer = Vec::new();
            for due in 0..2 {
                theirs.recv_vec(&mut buffer).expect("it is paid");
                assert_eq!(number(&buffer), due);
            }
            // Who waits to read is told so.
            drop(their_end);
        });
        let gives_up = {
            let stream = Arc::clone(&stream);
            // Its time may be over at any moment.
            let far = Instant::now() + Duration::from_secs(1 << 20);
            spawn(move || drop(stream.pay(Until::At(far))))
        };
        stream.wait_to_read();
        gives_up.join().expect("no thread fails");
        takes.join().expect("no thread fails");
    });
}
