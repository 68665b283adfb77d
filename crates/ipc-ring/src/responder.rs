//! The side of a channel that answers, each request with one reply.

use crate::both_ends::spins_at_both_ends;
use crate::caller::{NUMBER_BYTES, corrupt};
use crate::link::something_to_tell;
use crate::{Channel, Receiver, Sender};
use ipc_core::{ErrorKind, Interest, Pollable, Rest, Result, Turn, Until, four_forms};
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

/// The side of a channel that answers what a [`Caller`](crate::Caller) asks. Threads take turns.
#[derive(Debug)]
pub struct Responder {
    sender: Sender,
    receiver: Receiver,
    state: Turn<State>,
    /// The last reply is still to be sent: there was no room in time.
    owed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    request: Vec<u8>,
    number: [u8; NUMBER_BYTES],
    reply: Vec<u8>,
}

impl Channel {
    /// This side answers; the other is to be a [`Caller`](crate::Caller).
    #[must_use]
    pub fn responder(self) -> Responder {
        let (sender, receiver) = self.split();
        Responder {
            sender,
            receiver,
            state: Turn::default(),
            owed: AtomicBool::new(false),
        }
    }
}

spins_at_both_ends!(Responder);

impl Responder {
    four_forms! {
        /// Receives a request and sends what `handler` makes of it: it is given the request and
        /// an empty reply to fill. A reply that there is no room for in time is owed, and goes
        /// out before the next request is received.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) and [`PeerDied`](ErrorKind::PeerDied)
        /// behind the last request; [`TooLarge`](ErrorKind::TooLarge) for a reply above
        /// [`max_reply_bytes`](Responder::max_reply_bytes), which is not sent: the caller waits on;
        /// [`Corrupt`](ErrorKind::Corrupt) where a request has no number.
        answer / try_answer / answer_timeout / answer_deadline
            = answer_until(handler: impl FnOnce(&[u8], &mut Vec<u8>)) -> ()
    }

    /// How large a reply may be.
    #[must_use]
    pub fn max_reply_bytes(&self) -> usize {
        self.sender.max_message_bytes() - NUMBER_BYTES
    }

    fn answer_until(&self, handler: impl FnOnce(&[u8], &mut Vec<u8>), until: Until) -> Result<()> {
        let mut state = (self.state.take(until)).ok_or_else(|| until.over("answer"))?;
        let state = &mut *state;
        if self.owes() {
            self.send(state, until)?;
        }
        let request = &mut state.request;
        match until {
            Until::Now => self.receiver.try_recv_vec(request)?,
            Until::Forever => self.receiver.recv_vec(request)?,
            Until::At(deadline) => self.receiver.recv_vec_deadline(request, deadline)?,
        }
        let Some((number, body)) = request.split_first_chunk() else {
            return Err(corrupt("a request has no number"));
        };
        state.number = *number;
        state.reply.clear();
        handler(body, &mut state.reply);
        self.owed.store(true, Release);
        self.send(state, until)
    }

    /// Sends what is owed, and waits for room.
    fn pay_until(&self, until: Until) -> Result<()> {
        let state = (self.state.take(until)).ok_or_else(|| until.over("answer"))?;
        if !self.owes() {
            return Ok(());
        }
        // Of as much as the last try has wanted.
        self.sender.wait_ready(&[Interest::Write], until)?;
        self.send(&state, Until::Now)
    }

    /// Sends the reply; one that can never be sent is owed no more.
    fn send(&self, state: &State, until: Until) -> Result<()> {
        let len = state.reply.len().saturating_add(NUMBER_BYTES);
        let sent = self.sender.loan_until(len, until).and_then(|mut loan| {
            loan.write(&state.number)?;
            loan.write(&state.reply)?;
            loan.send();
            Ok(())
        });
        let owed = sent.as_ref().is_err_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Full
            )
        });
        self.owed.store(owed, Release);
        sent
    }
}

/// What is owed goes out before the next request is received, and so before one is waited for.
impl Pollable for Responder {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        match interest {
            Interest::Read => self.receiver.descriptor(interest),
            Interest::Write => self.sender.descriptor(interest),
        }
    }
    fn shown_by(&self, _interest: Interest) -> Interest {
        Interest::Read
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        if *interests == [Interest::Write] {
            return self.sender.wait_ready(interests, until);
        }
        match self.pay_until(until) {
            Ok(()) => self.receiver.wait_ready(&[Interest::Read], until),
            outcome => something_to_tell(outcome),
        }
    }
    fn arm(&self, interest: Interest) -> Result<bool> {
        match interest {
            // No readiness of the receiver's tells of room: who waits is to ask `wait_ready`.
            Interest::Read if self.owes() => Ok(true),
            Interest::Read => self.receiver.arm(interest),
            Interest::Write => self.sender.arm(interest),
        }
    }
    fn rest(&self, interest: Interest) -> Option<&Rest> {
        match interest {
            Interest::Read => self.receiver.rest(interest),
            Interest::Write => self.sender.rest(interest),
        }
    }
    fn is_armed(&self, interest: Interest) -> bool {
        match interest {
            Interest::Read => !self.owes() && self.receiver.is_armed(interest),
            Interest::Write => self.sender.is_armed(interest),
        }
    }
    fn owes(&self) -> bool {
        self.owed.load(Acquire)
    }
    fn pay(&self) -> Result<()> {
        self.pay_until(Until::Now)
    }
}
