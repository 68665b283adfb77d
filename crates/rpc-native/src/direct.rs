//! A unary call of the blocking client from lent parts: encoded where it is sent from, and its
//! answer read where it came.

use crate::alone;
use crate::arriving::Arriving;
use crate::blocking_client::{BlockingWired, Inner};
use crate::straight::Message;
use ipc_core::Until;
use rpc_core::{Came, DirectCall, MethodKind, Status};
use std::sync::PoisonError;

impl BlockingWired {
    pub(crate) fn run_directly(&self, call: &mut DirectCall<'_>) -> Option<Result<(), Status>> {
        if call.method.kind != MethodKind::Unary {
            return None;
        }
        let until = Until::At(call.deadline);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let times = Some((call.now, call.deadline));
        let message = Message::Lent(call.arguments);
        let begun = inner.begin(call.method, call.context, times, until, message);
        let number = match begun {
            Ok(number) => number,
            Err(status) => return Some(Err(status)),
        };
        let outcome = inner.answer_to(number, call, until);
        inner.release(number);
        Some(outcome)
    }
}

impl Inner {
    /// Waits for the answer to a unary call.
    fn answer_to(
        &mut self,
        number: u32,
        call: &mut DirectCall<'_>,
        until: Until,
    ) -> Result<(), Status> {
        let codec = self.format.codec();
        loop {
            let turned = match self.come(until) {
                Ok(None) => Ok(()),
                Ok(Some(mut length)) => {
                    // A socket gives more at once where there is room for all.
                    if !self.wire.writes_to_memory() {
                        length = self.gather(length, until);
                    }
                    match self.read_answer(number, length, call, until) {
                        Some(outcome) => return outcome,
                        None => {
                            let length = self.gather(length, until);
                            self.take_in_until(length, until)
                        }
                    }
                }
                Err(status) => Err(status),
            };
            // What has come before the connection failed counts.
            if let Some(outcome) = self.slots[number as usize - 1].outcome.take() {
                return call.read(codec, Came::Whole(&outcome?.1));
            }
            turned?;
        }
    }

    /// Reads the answer from where it came, if it came alone, and the rest of it as it comes.
    fn read_answer(
        &mut self,
        number: u32,
        length: usize,
        call: &mut DirectCall<'_>,
        until: Until,
    ) -> Option<Result<(), Status>> {
        let codec = self.format.codec();
        let (message, whole) = alone::answer(&self.buffer[..length], number)?;
        if !self.machine.returned_alone(number, whole) {
            return None;
        }
        if whole == length {
            return Some(call.read(codec, Came::Whole(&self.buffer[message])));
        }
        let memory = (&mut self.buffer[..], &mut self.spare);
        let mut arriving = Arriving::over((&self.wire, until), memory, message, whole - length);
        let outcome = call.read(codec, Came::Arriving(&mut arriving));
        let (missing, failed) = arriving.finish();
        if missing == 0 {
            return Some(outcome);
        }
        // It still comes, where only the time is over.
        self.passed_by = missing;
        Some(Err(match failed {
            Some(error) => self.failed(&error),
            None => self.lost("the server has gone"),
        }))
    }
}
