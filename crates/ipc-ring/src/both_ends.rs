//! What everything that holds a sender and a receiver has.

use crate::{Receiver, Sender};
use ipc_core::{ErrorKind, Interest, Pollable, Result, Until};
use ipc_sys::{PollFd, PollFlags, os_error, wait_any};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;

/// Sleeps until there is something to receive or room to send, or perhaps for nothing.
///
/// Both turns are held meanwhile: another that slept at one of the bells would take what rings for
/// us, and what comes lets them in as well. Only who is inside to send is not waited for, since the
/// other side may want to be heard first: where `passed_over` is set it rings the receiver's
/// bell when it gives up.
pub(crate) fn wait_for_either(
    sender: &Sender,
    receiver: &Receiver,
    passed_over: &AtomicBool,
    until: Until,
) -> Result<()> {
    let _receives = receiver.link.turn("wait", until)?;
    loop {
        // First of all: it takes what was rung before, and who gives up rings after the exchange.
        if receiver.arm_in_turn()? {
            return Ok(());
        }
        // An exchange here and there: either we see that the turn was left, or who leaves sees us.
        passed_over.swap(true, AcqRel);
        let sends = match sender.link.turn("wait", Until::Now) {
            Ok(turn) => Some(turn),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => return Err(error),
        };
        if sends.is_some() && sender.arm_in_turn()? {
            return Ok(());
        }
        let bells = [
            receiver.descriptor(Interest::Read),
            sender.descriptor(Interest::Write),
        ];
        let fds = &mut bells.map(|bell| PollFd::from_borrowed_fd(bell, PollFlags::IN));
        let fds = match sends {
            Some(_) => &mut fds[..],
            None => &mut fds[..1],
        };
        match wait_any(fds, until) {
            Ok(true) if sends.is_some() => {}
            Ok(true) => return Ok(()),
            Ok(false) => return Err(until.over("wait")),
            Err(errno) => return Err(os_error("wait", errno)),
        }
        // A bell that has ended is told by the try that follows.
        let ended = PollFlags::HUP;
        if fds.iter().any(|fd| fd.revents().contains(ended)) {
            return Ok(());
        }
    }
}

/// `set_spin` of both.
macro_rules! spins_at_both_ends {
    ($Kind:ident) => {
        impl $Kind {
            /// How long both its ends look at memory before they sleep, from now on. The other
            /// side has its own way.
            pub fn set_spin(&mut self, spin: $crate::Spin) {
                self.sender.set_spin(spin);
                self.receiver.set_spin(spin);
            }
        }
    };
}
pub(crate) use spins_at_both_ends;
