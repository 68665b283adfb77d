//! The side of a channel that asks: each request has a number, by which its reply is known.

use crate::both_ends::spins_at_both_ends;
use crate::{Channel, Receiver, Sender};
use ipc_core::{Error, ErrorKind, Result, Turn, Until, four_forms};

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
        let mut loan = self.sender.loan_until(len, until)?;
        let number = *next;
        loan.write(&number.to_le_bytes())?;
        loan.write(request)?;
        loan.send();
        *next += 1;
        loop {
            let lent = self.receiver.recv_loan_until(until)?;
            let mut word = [0; NUMBER_BYTES];
            lent.read_at(0, &mut word)
                .map_err(|_| corrupt("a reply has no number"))?;
            let of = u64::from_le_bytes(word);
            if of > number {
                return Err(corrupt("a reply to what was not asked"));
            }
            if of == number {
                reply.clear();
                reply.resize(lent.len() - NUMBER_BYTES, 0);
                return lent.read_at(NUMBER_BYTES, reply);
            }
        }
    }
}

pub(crate) fn corrupt(why: &'static str) -> Error {
    Error::new("call", ErrorKind::Corrupt).hint(why)
}
