//! The side of a channel that asks: each request has a number, by which its reply is known.

use crate::both_ends::{spins_at_both_ends, wait_for_either};
use crate::{Channel, Lent, Loan, Receiver, Sender};
use ipc_core::{Error, ErrorKind, Result, Turn, Until, four_forms};
use std::sync::atomic::AtomicBool;

/// Bytes of a request's number, which stands before it and before its reply.
pub(crate) const NUMBER_BYTES: usize = 8;

/// The side of a channel that asks, and waits for the reply. Threads take turns.
///
/// ```
/// let (left, right) = ipc_uds::pair_seqpacket()?;
/// let other = std::thread::spawn(move || -> ipc_ring::Result<()> {
///     let responder = ipc_ring::Options::new().over(right)?.responder();
///     responder.answer(|request, reply| reply.extend(request.iter().rev()))
/// });
/// let caller = ipc_ring::Options::new().over(left)?.caller();
/// let mut reply = Vec::new();
/// caller.call(b"stressed", &mut reply)?;
/// assert_eq!(reply, b"desserts");
/// # other.join().expect("no panic")?;
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Debug)]
pub struct Caller {
    sender: Sender,
    receiver: Receiver,
    /// The number of the next request, and whose turn it is to ask.
    next: Turn<u64>,
}

impl Channel {
    /// This side asks; the other is to be a [`Responder`](crate::Responder).
    #[must_use]
    pub fn caller(self) -> Caller {
        let (sender, receiver) = self.split();
        Caller {
            sender,
            receiver,
            next: Turn::default(),
        }
    }
}

spins_at_both_ends!(Caller);

impl Caller {
    four_forms! {
        /// Sends `request` and receives its reply, by which `reply` is replaced. Replies to
        /// requests that were given up before are passed over. Other threads' calls wait; who
        /// does not wait and finds one under way has [`WouldBlock`](ErrorKind::WouldBlock).
        ///
        /// A call that is over in time has been asked nevertheless, unless there was no room: the
        /// responder may have done what it says.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) above
        /// [`max_request_bytes`](Caller::max_request_bytes); [`Closed`](ErrorKind::Closed) and
        /// [`PeerDied`](ErrorKind::PeerDied) where no reply will come;
        /// [`Corrupt`](ErrorKind::Corrupt) where a reply has a number that was not asked.
        call / try_call / call_timeout / call_deadline
            = call_until(request: &[u8], reply: &mut Vec<u8>) -> ()
    }

    /// How large a request may be.
    #[must_use]
    pub fn max_request_bytes(&self) -> usize {
        self.sender.max_message_bytes() - NUMBER_BYTES
    }

    fn call_until(&self, request: &[u8], reply: &mut Vec<u8>, until: Until) -> Result<()> {
        let mut next = (self.next.take(until)).ok_or_else(|| until.over("call"))?;
        let len = request.len().saturating_add(NUMBER_BYTES);
        let number = *next;
        let mut loan = self.room(len, number, until)?;
        loan.write(&number.to_le_bytes())?;
        loan.write(request)?;
        loan.send();
        *next += 1;
        for passed in 0.. {
            self.in_time(passed, until)?;
            let lent = self.receiver.recv_loan_until(until)?;
            if number_of(&lent, number)? == number {
                reply.clear();
                reply.resize(lent.len() - NUMBER_BYTES, 0);
                return lent.read_at(NUMBER_BYTES, reply);
            }
        }
        Err(until.over("call"))
    }

    /// Ends a call that has passed over so many replies: one who sends them without end holds up
    /// none beyond its time.
    fn in_time(&self, passed: usize, until: Until) -> Result<()> {
        let is_over = match until {
            Until::Forever => false,
            Until::Now => passed > self.receiver.slot_count(),
            Until::At(_) => passed > 0 && until.is_over(),
        };
        match is_over {
            true => Err(until.over("call")),
            false => Ok(()),
        }
    }

    /// Room for request `number`. Who answers may have none itself for replies to requests that
    /// were given up: they are passed over meanwhile.
    fn room(&self, len: usize, number: u64, until: Until) -> Result<Loan<'_>> {
        loop {
            let full = match self.sender.loan_until(len, Until::Now) {
                Err(error) if is_full(&error) => error,
                outcome => return outcome,
            };
            self.pass_over(number, until)?;
            if until == Until::Now || full.kind() == ErrorKind::Full {
                return Err(full);
            }
            wait_for_either(&self.sender, &self.receiver, &AtomicBool::default(), until)?;
        }
    }

    /// Takes what has come before request `number` goes out.
    fn pass_over(&self, number: u64, until: Until) -> Result<()> {
        for passed in 0.. {
            self.in_time(passed, until)?;
            match self.receiver.recv_loan_until(Until::Now) {
                Ok(lent) if number_of(&lent, number)? == number => {
                    return Err(corrupt("a reply to what was not asked"));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_full(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Full)
}

/// The number of a reply, where `last` was asked last.
fn number_of(reply: &Lent<'_>, last: u64) -> Result<u64> {
    let mut word = [0; NUMBER_BYTES];
    reply
        .read_at(0, &mut word)
        .map_err(|_| corrupt("a reply has no number"))?;
    match u64::from_le_bytes(word) {
        number if number > last => Err(corrupt("a reply to what was not asked")),
        number => Ok(number),
    }
}

pub(crate) fn corrupt(why: &'static str) -> Error {
    Error::new("call", ErrorKind::Corrupt).hint(why)
}
