//! A mailbox of the model's kernel: notes with ropes, until who puts them in is gone.

use crate::bell::Rope;
use crate::checker::{Mutex, MutexGuard};
use crate::machine;
use ipc_core::{Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

pub(crate) const NOTE_BYTES: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Letters {
    state: Mutex<State>,
    /// In which it is looked at.
    pub(crate) group: OnceLock<Weak<crate::bells::Group>>,
}

#[derive(Debug, Default)]
struct State {
    letters: VecDeque<([u8; NOTE_BYTES], Rope)>,
    is_over: bool,
}

#[derive(Debug)]
pub(crate) struct Mailbox(pub(crate) Arc<Letters>);

/// Who puts letters in.
#[derive(Debug)]
pub(crate) struct Postman(Arc<Letters>);

pub(crate) fn mailbox() -> (Postman, Mailbox) {
    let letters = Arc::<Letters>::default();
    (Postman(Arc::clone(&letters)), Mailbox(letters))
}

impl Letters {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_ready(&self) -> bool {
        let state = self.lock();
        !state.letters.is_empty() || state.is_over
    }

    fn tell(&self) {
        if let Some(group) = self.group.get().and_then(Weak::upgrade) {
            group.tell();
        }
    }
}

impl Postman {
    pub(crate) fn put(&self, note: [u8; NOTE_BYTES], rope: Rope) {
        machine::fence();
        self.0.lock().letters.push_back((note, rope));
        self.0.tell();
    }
}

impl Drop for Postman {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.tell();
    }
}

impl Mailbox {
    pub(crate) fn take(&mut self) -> Result<Option<([u8; NOTE_BYTES], Rope)>> {
        machine::fence();
        let mut state = self.0.lock();
        match state.letters.pop_front() {
            None if state.is_over => Err(Error::new("recv", ErrorKind::Closed)),
            letter => Ok(letter),
        }
    }
}
