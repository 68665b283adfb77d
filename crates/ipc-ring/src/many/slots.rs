//! The slots of a queue: how a member claims, commits and takes one, and frees those of the dead.
//!
//! A slot has one word, which says the number of the message it is about and what of it: *free*
//! for it, being *written* by a member, or *ready*. Each step is one exchange of that word, so a
//! death is before it or behind it. The two counters say only where to begin to look; whoever
//! finds one behind brings it on.
//!
//! A consumer copies a message out and then exchanges its word: who is first has it, the copies
//! of the others are nothing. So no slot is ever a consumer's, and the death of one leaves nothing
//! to mend. It goes past a slot that is being written, to what is ready behind it, if that was
//! ready before the other; a producer writes one message at a time, so its own stay in order.

use super::layout::{
    AT_DROPPED, AT_HEAD, AT_TAIL, MAX_MEMBERS, SLOT_LENGTH, SLOT_MESSAGE, Shape, State, corrupt,
    decode, free, ready, writing,
};
use crate::ground::{WritableWindow, fence};
use ipc_core::Result;
use ipc_sys::crash_point;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

/// Looks of one operation, beside two at each slot, after which the memory is said to be damaged:
/// so often nobody loses to others that keep the rules.
const MOST_LOOKS: u64 = 1 << 16;

#[derive(Debug)]
pub(super) struct Slots {
    pub(super) memory: WritableWindow,
    pub(super) shape: Shape,
}

/// A message that was found, and is still everybody's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) len: usize,
    /// Where its bytes are.
    pub(super) at: usize,
}

/// What a member finds that wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    At {
        number: u64,
        word: u64,
    },
    /// The slot that is next has the message of this number, and is it ready?
    Full {
        oldest: u64,
        ready: bool,
    },
}

/// Slots that are being written, which a consumer has gone past.
struct Passed {
    slots: [(u64, u64); MAX_MEMBERS],
    count: usize,
}

impl Slots {
    /// Claims a slot for `member`, and returns the number of its message; none where all slots
    /// are taken.
    #[inline]
    pub(super) fn claim(&self, member: u32) -> Result<Option<u64>> {
        for _ in 0..self.most_looks() {
            let Room::At { number, word } = self.room()? else {
                return Ok(None);
            };
            let slot = self.memory.u64(self.shape.slot(number));
            let claimed = slot.compare_exchange(word, writing(number, member), SeqCst, Relaxed);
            if claimed.is_ok() {
                crash_point!("queue.claim.done");
                self.bring_on(AT_TAIL, number);
                return Ok(Some(number));
            }
        }
        Err(without_end("send"))
    }

    /// Whether there is a slot to claim.
    pub(super) fn has_room(&self) -> Result<bool> {
        Ok(matches!(self.room()?, Room::At { .. }))
    }

    /// The first slot that is free. A call of its own would cost a loan a twentieth.
    #[inline(always)]
    fn room(&self) -> Result<Room> {
        let mut at = self.tail();
        for _ in 0..self.most_looks() {
            let word = self.memory.load_u64(self.shape.slot(at), Acquire);
            let (number, state) = self.read(word, at, "send")?;
            if number == at && state == State::Free {
                return Ok(Room::At { number, word });
            }
            if number < at {
                return match state == State::Free || number + self.shape.slots != at {
                    // Nobody goes past a slot that nobody has claimed.
                    true => Err(corrupt(
                        "send",
                        "the queue says that it is longer than it is",
                    )),
                    false => Ok(Room::Full {
                        oldest: number,
                        ready: state == State::Ready,
                    }),
                };
            }
            self.bring_on(AT_TAIL, at);
            // Further than one step only where we have slept over a whole round.
            at = self.tail().max(at + 1);
        }
        Err(without_end("send"))
    }

    /// Where the bytes of message `number` go, which was claimed.
    #[inline]
    pub(super) const fn place(&self, number: u64) -> usize {
        self.shape.slot(number) + SLOT_MESSAGE
    }

    /// Commits message `number` of `len` bytes, which `member` has claimed and written.
    #[inline]
    pub(super) fn commit(&self, number: u64, member: u32, len: usize) -> Result<()> {
        let slot = self.shape.slot(number);
        self.memory
            .u64(slot + SLOT_LENGTH)
            .store(len as u64, Relaxed);
        crash_point!("queue.commit.begun");
        let word = self.memory.u64(slot);
        let committed =
            word.compare_exchange(writing(number, member), ready(number), SeqCst, Relaxed);
        crash_point!("queue.commit.done");
        match committed {
            Ok(_) => Ok(()),
            Err(_) => Err(corrupt("send", "another member has taken our slot from us")),
        }
    }

    /// Gives the slot of message `number` back, which `member` has claimed: no such message will
    /// come.
    pub(super) fn give_up(&self, number: u64, member: u32) {
        let slot = self.memory.u64(self.shape.slot(number));
        let next = free(number + self.shape.slots);
        let _ = slot.compare_exchange(writing(number, member), next, SeqCst, Relaxed);
    }

    /// Takes the oldest message for nobody, where all slots are taken; false where another was
    /// faster, or it is still being written.
    pub(super) fn drop_oldest(&self) -> Result<bool> {
        let Room::Full { oldest, ready } = self.room()? else {
            return Ok(false);
        };
        let dropped = ready && self.take(oldest);
        if dropped {
            self.memory.u64(AT_DROPPED).fetch_add(1, Relaxed);
        }
        Ok(dropped)
    }

    /// How many messages were dropped so.
    pub(super) fn dropped(&self) -> u64 {
        self.memory.load_u64(AT_DROPPED, Relaxed)
    }

    /// Gives back whatever `member` has claimed, which is dead. Any number of survivors may do it
    /// at the same time, and again.
    pub(super) fn recover(&self, member: u32) {
        let near = self.tail();
        for number in near..near.saturating_add(self.shape.slots) {
            let word = self.memory.load_u64(self.shape.slot(number), Acquire);
            if let Some((number, State::Writing(its))) = decode(self.shape, word, number)
                && its == member
            {
                self.give_up(number, member);
            }
        }
    }

    /// Finds the next message. It stands there until somebody [takes](Slots::take) it.
    #[inline]
    pub(super) fn next(&self) -> Result<Option<Message>> {
        for _ in 0..self.most_looks() {
            let at = self.head();
            let word = self.memory.load_u64(self.shape.slot(at), Acquire);
            let (number, state) = self.read(word, at, "recv")?;
            if number != at {
                self.behind(number, at)?;
                self.bring_head_on(number, at);
                continue;
            }
            match state {
                State::Free => return Ok(None),
                State::Writing(_) => return self.next_behind(),
                State::Ready => {}
            }
            if let Some(message) = self.message(at, word)? {
                return Ok(Some(message));
            }
        }
        Err(without_end("recv"))
    }

    /// As [`next`](Slots::next), past what is being written.
    #[cold]
    fn next_behind(&self) -> Result<Option<Message>> {
        let mut passed = Passed {
            slots: [(0, 0); MAX_MEMBERS],
            count: 0,
        };
        let (mut head, slots) = (self.head(), self.shape.slots);
        let mut at = head;
        for _ in 0..self.most_looks() {
            if at - head >= slots {
                return Ok(None);
            }
            let word = self.memory.load_u64(self.shape.slot(at), Acquire);
            let (number, state) = self.read(word, at, "recv")?;
            if number == at {
                match state {
                    State::Free => return Ok(None),
                    State::Writing(_) if passed.count == MAX_MEMBERS => return Ok(None),
                    State::Writing(_) => {
                        passed.slots[passed.count] = (at, word);
                        passed.count += 1;
                        at += 1;
                        continue;
                    }
                    // What we went past is not ready even now, so this is not behind it.
                    State::Ready if passed.are_the_same(self) => {
                        if let Some(message) = self.message(at, word)? {
                            return Ok(Some(message));
                        }
                    }
                    State::Ready => {}
                }
            } else {
                self.behind(number, at)?;
                if passed.count == 0 {
                    self.bring_head_on(number, at);
                }
                if number == at + slots {
                    at += 1;
                    continue;
                }
            }
            // It has changed under us: from the beginning.
            passed.count = 0;
            head = self.head();
            at = head;
        }
        Err(without_end("recv"))
    }

    /// What stands where message `at` stood is a later one.
    fn behind(&self, number: u64, at: u64) -> Result<()> {
        match number > at {
            true => Ok(()),
            // All messages before the head are taken, and none of their slots goes back.
            false => Err(corrupt("recv", "more was taken than was sent")),
        }
    }

    /// The message whose word is `word`; none where it was taken meanwhile.
    #[inline]
    fn message(&self, number: u64, word: u64) -> Result<Option<Message>> {
        let slot = self.shape.slot(number);
        let len = self.memory.load_u64(slot + SLOT_LENGTH, Relaxed);
        if len <= self.shape.max_message_bytes() as u64 {
            return Ok(Some(Message {
                number,
                len: len as usize,
                at: slot + SLOT_MESSAGE,
            }));
        }
        fence(Acquire);
        match self.memory.load_u64(slot, Relaxed) == word {
            true => Err(corrupt("recv", "a message is longer than its slot")),
            false => Ok(None),
        }
    }

    /// Takes message `number`; false where another was faster, and its copy is nothing.
    #[inline]
    pub(super) fn take(&self, number: u64) -> bool {
        let slot = self.memory.u64(self.shape.slot(number));
        // The copy is made before the word is looked at again.
        fence(Acquire);
        let next = free(number + self.shape.slots);
        crash_point!("queue.take.copied");
        let taken = slot.compare_exchange(ready(number), next, SeqCst, Relaxed);
        crash_point!("queue.take.done");
        if taken.is_ok() {
            self.bring_on(AT_HEAD, number);
        }
        taken.is_ok()
    }

    #[inline]
    fn read(&self, word: u64, near: u64, operation: &'static str) -> Result<(u64, State)> {
        decode(self.shape, word, near)
            .ok_or_else(|| corrupt(operation, "a slot has a word that no member writes"))
    }

    #[inline]
    const fn most_looks(&self) -> u64 {
        2 * self.shape.slots + MOST_LOOKS
    }

    #[inline]
    fn head(&self) -> u64 {
        self.memory.load_u64(AT_HEAD, Acquire) & (u64::MAX >> 3)
    }

    #[inline]
    fn tail(&self) -> u64 {
        self.memory.load_u64(AT_TAIL, Acquire) & (u64::MAX >> 3)
    }

    /// Brings a counter on that stands at `number`, which is done with.
    #[inline]
    fn bring_on(&self, at: usize, number: u64) {
        if self.memory.load_u64(at, Relaxed) == number {
            let counter = self.memory.u64(at);
            let _ = counter.compare_exchange(number, number + 1, SeqCst, Relaxed);
        }
    }

    /// Brings the head on where it stands at message `at`, whose slot message `number` has.
    #[inline]
    fn bring_head_on(&self, number: u64, at: u64) {
        match number - at > self.shape.slots {
            true => self.bring_head_far_on(at),
            false => self.bring_on(AT_HEAD, at),
        }
    }

    /// Nobody has looked for rounds: those who drop the oldest bring the head on only where they
    /// find it at what they drop.
    #[cold]
    fn bring_head_far_on(&self, at: u64) {
        // No slot is claimed again before its message is done with.
        let done = self.tail().saturating_sub(self.shape.slots);
        let head = self.memory.u64(AT_HEAD);
        let _ = head.compare_exchange(at, done.max(at + 1), SeqCst, Relaxed);
    }
}

impl Passed {
    fn are_the_same(&self, slots: &Slots) -> bool {
        self.slots[..self.count].iter().all(|&(number, word)| {
            let slot = slots.shape.slot(number);
            slots.memory.load_u64(slot, Acquire) == word
        })
    }
}

#[cold]
fn without_end(operation: &'static str) -> ipc_core::Error {
    corrupt(operation, "the queue changes without end")
}
