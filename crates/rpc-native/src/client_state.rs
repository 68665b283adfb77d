//! What the calls of one awaited connection have in common, behind its lock.

use crate::bindings::Bindings;
use crate::client_side::{ClientSide, Event};
use crate::codecs::Format;
use crate::io::{Outlet, Side, wake};
use crate::link::Link;
use bytes::Bytes;
use rpc_core::{Code, Metadata, Status};
use std::collections::VecDeque;
use std::task::{Context as Task, Waker};
use std::time::Instant;

pub(crate) struct State {
    pub(crate) machine: ClientSide,
    pub(crate) bindings: Bindings,
    pub(crate) slots: Vec<Slot>,
    /// Callers that wait for credit or for the server's word.
    pub(crate) waiting: Vec<Waker>,
    pub(crate) outlet: Outlet,
}

/// What came for a call and was not taken yet.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) outcome: Option<Result<(Metadata, Bytes), Status>>,
    pub(crate) items: VecDeque<Bytes>,
    pub(crate) receiver: Option<Waker>,
    pub(crate) sender: Option<Waker>,
    /// Tells a call from the one that had its number before.
    pub(crate) generation: u64,
}

impl Side for State {
    fn link(&mut self) -> &mut Link {
        &mut self.machine.link
    }

    fn outlet(&mut self) -> &mut Outlet {
        &mut self.outlet
    }

    fn has_room(&mut self) {
        self.wake_waiting();
        for slot in &mut self.slots {
            wake(&mut slot.sender);
        }
    }

    fn lost(&mut self, status: &Status) {
        self.machine.link.lost(status.clone());
        for slot in &mut self.slots {
            if slot.outcome.is_none() {
                let text = format!("the connection was lost: {}", status.message());
                let mut lost = Status::new(Code::Unavailable, text);
                if status.did_not_run() {
                    lost = lost.before_running();
                }
                slot.outcome = Some(Err(lost));
            }
            wake(&mut slot.receiver);
            wake(&mut slot.sender);
        }
        self.wake_waiting();
    }
}

impl State {
    pub(crate) fn wait(&mut self, task: &Task<'_>) {
        if !self
            .waiting
            .iter()
            .any(|waker| waker.will_wake(task.waker()))
        {
            self.waiting.push(task.waker().clone());
        }
    }

    pub(crate) fn wake_waiting(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    /// Takes in what the machine has understood.
    pub(crate) fn take_events(&mut self, format: Format, now: Instant) {
        loop {
            match self.machine.next_event(now) {
                Ok(None) => return,
                Ok(Some(event)) => self.take_event(event, format),
                Err(status) => return self.lost(&status),
            }
        }
    }

    fn take_event(&mut self, event: Event, format: Format) {
        match event {
            Event::Greeted | Event::Draining => self.wake_waiting(),
            Event::Bound(number, verdict, text) => {
                self.bindings
                    .bound(&mut self.machine, number, verdict, &text, format);
                self.wake_waiting();
            }
            Event::Message(call, item) => {
                let slot = &mut self.slots[call as usize - 1];
                slot.items.push_back(item);
                wake(&mut slot.receiver);
            }
            Event::Returned(call, outcome) => {
                let slot = &mut self.slots[call as usize - 1];
                wake(&mut slot.sender);
                slot.outcome = Some(outcome);
                wake(&mut slot.receiver);
            }
            Event::Credit(0) => {
                for slot in &mut self.slots {
                    wake(&mut slot.sender);
                }
                self.wake_waiting();
            }
            Event::Credit(call) => {
                if let Some(slot) = self.slots.get_mut(call as usize - 1) {
                    wake(&mut slot.sender);
                }
            }
        }
    }
}
