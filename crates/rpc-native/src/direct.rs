//! A unary call of the blocking client from lent parts: encoded where it is sent from, and its
//! answer read where it came.

use crate::alone;
use crate::blocking_client::{BlockingWired, Inner};
use crate::straight::Message;
use ipc_core::Until;
use rpc_core::{DirectCall, MethodKind, Status};
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
            let turned = match self.flush(until).and_then(|()| self.read(until)) {
                Ok(length) => {
                    let came = &self.buffer[..length];
                    if let Some(message) = alone::answer(came, number)
                        && self.machine.returned_alone(number, came.len())
                    {
                        return call.read(codec, &came[message]);
                    }
                    self.take_in(length)
                }
                Err(status) => Err(status),
            };
            // What has come before the connection failed counts.
            if let Some(outcome) = self.slots[number as usize - 1].outcome.take() {
                return call.read(codec, &outcome?.1);
            }
            turned?;
        }
    }
}
