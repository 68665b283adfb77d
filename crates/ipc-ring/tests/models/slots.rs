//! Slots of a model's memory, each a word and what it commits.

use crate::ground::{Region, Window, Word64, WritableWindow};
use crate::layout::{AT_SLOTS, COMMIT_BYTES};
use ipc_core::Result;
use std::ops::Deref;
use std::sync::atomic::Ordering;

/// To be read.
#[derive(Clone, Debug)]
pub(crate) struct Slots<const BYTES: usize> {
    window: Window,
    count: usize,
}

/// And to be written, too.
#[derive(Clone, Debug)]
pub(crate) struct WritableSlots<const BYTES: usize> {
    slots: Slots<BYTES>,
    window: WritableWindow,
}

impl Region {
    pub(crate) fn slots<const BYTES: usize>(
        &self,
        at: usize,
        count: usize,
    ) -> Result<Slots<BYTES>> {
        assert!(at == AT_SLOTS && count.is_power_of_two());
        let window = self.window(0, self.len_bytes())?;
        Ok(Slots { window, count })
    }

    pub(crate) fn writable_slots<const BYTES: usize>(
        &self,
        at: usize,
        count: usize,
    ) -> Result<WritableSlots<BYTES>> {
        let window = self.writable_window(0, self.len_bytes())?;
        let slots = self.slots(at, count)?;
        Ok(WritableSlots { slots, window })
    }
}

impl<const BYTES: usize> Slots<BYTES> {
    pub(crate) fn load(&self, number: u64, order: Ordering) -> u64 {
        self.window.load_u64(self.at(number), order)
    }

    pub(crate) fn read(&self, number: u64, buffer: &mut [u8]) {
        assert!(COMMIT_BYTES + buffer.len() <= BYTES);
        self.window.read(self.at(number) + COMMIT_BYTES, buffer);
    }

    fn at(&self, number: u64) -> usize {
        AT_SLOTS + number as usize % self.count * BYTES
    }
}

impl<const BYTES: usize> Deref for WritableSlots<BYTES> {
    type Target = Slots<BYTES>;
    fn deref(&self) -> &Slots<BYTES> {
        &self.slots
    }
}

impl<const BYTES: usize> WritableSlots<BYTES> {
    pub(crate) fn word(&self, number: u64) -> Word64 {
        self.window.u64(self.at(number))
    }

    pub(crate) fn write(&self, number: u64, bytes: &[u8]) {
        assert!(COMMIT_BYTES + bytes.len() <= BYTES);
        self.window.write(self.at(number) + COMMIT_BYTES, bytes);
    }
}
