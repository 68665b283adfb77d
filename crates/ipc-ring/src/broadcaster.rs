//! The end that sends to many.

use crate::audience::Audience;
use crate::bells::Bells;
use crate::ground::{Held, Region, SeqPacket, Turn, WritableWindow, fence};
use crate::layout::{AT_PROGRESS, AT_START, COMMIT_BYTES, INLINE_BYTES, Shape, commit};
use crate::spin::Budget;
use crate::tries::LOOKS_PER_END;
use crate::{Listener, Options, Spin, WhenFull, join};
use ipc_core::{Error, ErrorKind, Flush, Interest, Pollable, Result, TrySend, Until, four_forms};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::{Relaxed, Release};

/// The end that sends to many: each [`Subscriber`](crate::Subscriber) receives all that is sent
/// after it was accepted. Where nobody is, what is sent goes to nobody.
///
/// A reader that is slow holds the writer back ([`WhenFull::Block`]), or misses messages and is
/// told how many ([`WhenFull::DropOldest`]). One that is gone does neither.
///
/// ```
/// let (ours, theirs) = ipc_uds::pair_seqpacket()?;
/// let reader = std::thread::spawn(|| ipc_ring::Options::new().subscribe_over(theirs));
/// let writer = ipc_ring::Options::new().broadcast()?;
/// writer.add(ours)?;
/// writer.send(b"to all")?;
/// let reader = reader.join().expect("no panic")?;
/// let mut buffer = [0; 16];
/// assert_eq!(reader.recv(&mut buffer)?, ipc_ring::Received::Message(6));
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Debug)]
pub struct Broadcaster {
    turn: Turn<Writer>,
    /// What readers are given of our memory.
    region: Region,
    /// Tells of all readers' bells.
    bells: Bells,
    shape: Shape,
    options: Options,
}

impl Broadcaster {
    pub(crate) fn new(region: Region, shape: Shape, options: &Options) -> Result<Self> {
        let bells = Bells::new()?;
        let window = || region.writable_window(0, region.len_bytes());
        let writer = Writer {
            audience: Audience::new(window()?, bells.try_clone()?),
            own: window()?,
            budget: Budget::new(options.spin),
            shape,
            sent: 0,
            taken: 0,
            oldest: 0,
            end: 0,
            freed: 0,
            ends: vec![0; shape.slots as usize].into_boxed_slice(),
            dropped: 0,
        };
        Ok(Self {
            turn: Turn::new(writer),
            region,
            bells,
            shape,
            options: options.clone(),
        })
    }

    four_forms! {
        /// Sends a message to all readers; waits while a slow one holds it back.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) above
        /// [`max_message_bytes`](Broadcaster::max_message_bytes); [`Full`](ErrorKind::Full) with
        /// [`WhenFull::Fail`].
        send / try_send / send_timeout / send_deadline = send_until(message: &[u8]) -> ()
    }

    four_forms! {
        /// Takes in the next process that comes to `listener` as a reader, of what is sent from
        /// now on. While a send is held back nobody is taken in.
        ///
        /// # Errors
        /// As [`add`](Broadcaster::add) and [`Listener::accept`].
        accept / try_accept / accept_timeout / accept_deadline
            = accept_until(listener: &Listener) -> ()
    }

    /// Takes in the process at the other end of `socket`, which
    /// [subscribes](Options::subscribe_over), as a reader of what is sent from now on.
    ///
    /// # Errors
    /// As [`Options::over`].
    pub fn add(&self, socket: SeqPacket) -> Result<()> {
        self.add_until(socket, Until::Forever)
    }

    fn add_until(&self, socket: SeqPacket, until: Until) -> Result<()> {
        let until = self.options.meet_until(until);
        let guest = join::receive(&socket, until)?;
        let mut writer = self.writer("accept", until)?;
        let start = writer.sent;
        // Of those who drop the oldest messages nobody else ever does.
        writer.forget_the_gone();
        let name = writer
            .audience
            .enter(guest.takes, guest.rope, guest.bell, start)?;
        let told = join::answer(&socket, &self.region, &guest.bell_rope, start, until);
        if told.is_err() {
            writer.audience.leave(name);
        }
        told
    }

    /// How many readers there are, now that the dead ones have been left out. Waits while a send
    /// is held back.
    ///
    /// # Errors
    /// As the system says.
    pub fn readers(&self) -> Result<usize> {
        let mut writer = self.writer("look", Until::Forever)?;
        writer.forget_the_gone();
        Ok(writer.audience.count())
    }

    /// How many messages were dropped unsent ([`WhenFull::DropNewest`]), or before all readers
    /// had taken them ([`WhenFull::DropOldest`]), as far as they had told.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        match self.turn.take(Until::Forever) {
            Some(writer) => writer.dropped,
            None => 0,
        }
    }

    /// How long this end looks at memory before it sleeps, from now on. Each reader has its own
    /// way.
    pub fn set_spin(&mut self, spin: Spin) {
        if let Some(mut writer) = self.turn.take(Until::Forever) {
            writer.budget = Budget::new(spin);
        }
    }

    /// How large a message may be.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        self.shape.max_message_bytes()
    }

    fn writer(&self, operation: &'static str, until: Until) -> Result<Held<'_, Writer>> {
        self.turn.take(until).ok_or_else(|| until.over(operation))
    }

    fn send_until(&self, message: &[u8], until: Until) -> Result<()> {
        let mut writer = self.writer("send", until)?;
        self.shape.admit(message.len())?;
        let (start, end) = writer.place(message.len());
        match self.options.when_full {
            WhenFull::DropOldest => writer.drop_oldest(end),
            _ if writer.has_room(end) => {}
            when_full => {
                writer.slowest();
                if !writer.has_room(end) && !writer.full(when_full, end, until)? {
                    writer.dropped += 1;
                    return Ok(());
                }
            }
        }
        writer.write(message, start, end);
        Ok(())
    }

    fn accept_until(&self, listener: &Listener, until: Until) -> Result<()> {
        self.add_until(listener.socket_until(until)?, until)
    }
}

/// What the thread whose turn it is has.
#[derive(Debug)]
struct Writer {
    audience: Audience,
    own: WritableWindow,
    budget: Budget,
    shape: Shape,
    sent: u64,
    /// Messages that all readers had taken when we looked last.
    taken: u64,
    /// The oldest message that still stands whole.
    oldest: u64,
    /// Where the bytes of the last message end.
    end: u64,
    /// Where those of the last message that all had taken end.
    freed: u64,
    /// Where those of each message end, by slot.
    ends: Box<[u64]>,
    dropped: u64,
}

impl Writer {
    /// Where the bytes of the next message begin and end.
    #[inline]
    fn place(&self, len: usize) -> (u64, u64) {
        match len <= INLINE_BYTES {
            true => (self.end, self.end),
            false => self.shape.place(self.end, len),
        }
    }

    /// Whether one more message fits whose bytes end at `end`.
    #[inline]
    fn has_room(&self, end: u64) -> bool {
        self.sent - self.taken < self.shape.slots
            && (self.sent == self.taken || end - self.freed <= self.shape.bytes)
    }

    /// Forgets readers that have closed their ends, or died. Where a task waits for our
    /// descriptor, what would wake it is left as it is.
    fn forget_the_gone(&mut self) {
        if !self.audience.is_parked() {
            self.audience.forget_the_dead();
            self.slowest();
        }
    }

    /// Looks how far the slowest reader is, which only ever goes on.
    fn slowest(&mut self) {
        let taken = self.audience.slowest(self.sent);
        if taken > self.taken {
            self.taken = taken;
            self.freed = self.end_of(taken);
        }
    }

    /// Where the bytes of the first `count` messages end.
    fn end_of(&self, count: u64) -> u64 {
        match count {
            0 => 0,
            _ => self.ends[((count - 1) & (self.shape.slots - 1)) as usize],
        }
    }

    /// Says that messages stand whole no more which the next one, whose bytes end at `end`,
    /// overwrites; and some more, so that readers' copies of the word last.
    #[inline]
    fn drop_oldest(&mut self, end: u64) {
        let slots_end = self.oldest + self.shape.slots;
        let bytes_end = self.end_of(self.oldest) + self.shape.bytes;
        if self.sent >= slots_end || end > bytes_end {
            self.overwrite(end);
        }
    }

    #[cold]
    fn overwrite(&mut self, end: u64) {
        let Shape { slots, bytes, .. } = self.shape;
        let mut oldest = self.oldest;
        if self.sent >= oldest + slots {
            oldest = self.sent + 1 - slots + slots / 8;
        }
        if end > self.end_of(oldest) + bytes {
            let enough = (end + bytes / 8).saturating_sub(bytes);
            while oldest < self.sent && self.end_of(oldest) < enough {
                oldest += 1;
            }
        }
        let taken = self.audience.slowest(self.sent);
        self.dropped += oldest.saturating_sub(taken.max(self.oldest));
        self.oldest = oldest;
        self.own.u64(AT_PROGRESS).store(oldest, Relaxed);
        // Who sees a byte of what is written from now on sees this.
        fence(Release);
    }

    /// There is no room; true where it has come, false where the message is to be dropped.
    #[cold]
    fn full(&mut self, when_full: WhenFull, end: u64, until: Until) -> Result<bool> {
        // The dead hold nobody back.
        self.audience.hear()?;
        self.slowest();
        if self.has_room(end) {
            return Ok(true);
        }
        match when_full {
            WhenFull::DropNewest => Ok(false),
            WhenFull::Fail => Err(Error::new("send", ErrorKind::Full)
                .hint("a reader has not received the messages before")),
            _ if until == Until::Now => Err(until.over("send")),
            _ => self.wait(end, until).map(|()| true),
        }
    }

    fn wait(&mut self, end: u64, until: Until) -> Result<()> {
        let mut looks = self.budget.looks();
        if looks > 0 && self.audience.share_a_processor() {
            looks = 0;
        }
        for look in 1..=looks {
            self.slowest();
            if self.has_room(end) {
                self.budget.paid();
                return Ok(());
            }
            std::hint::spin_loop();
            if look % LOOKS_PER_END == 0 {
                self.audience.hear()?;
                if until.is_over() {
                    return Err(until.over("send"));
                }
            }
        }
        self.budget.wasted(looks);
        loop {
            self.audience.park();
            self.slowest();
            if self.has_room(end) {
                self.audience.unpark();
                return Ok(());
            }
            let slept = self.audience.sleep(until);
            self.audience.unpark();
            self.slowest();
            if self.has_room(end) {
                return Ok(());
            }
            slept?;
            // A reader may ring without end.
            if until.is_over() {
                return Err(until.over("send"));
            }
        }
    }

    #[inline]
    fn write(&mut self, message: &[u8], start: u64, end: u64) {
        let number = self.sent;
        let slot = self.shape.slot(number);
        if message.len() <= INLINE_BYTES {
            self.own.write(slot + COMMIT_BYTES, message);
        } else {
            self.own.u64(slot + AT_START).store(start, Relaxed);
            self.own.write(self.shape.at(start), message);
        }
        self.ends[(number & (self.shape.slots - 1)) as usize] = end;
        self.end = end;
        self.sent = number + 1;
        let word = self.own.u64(slot);
        word.store(commit(number, message.len()), Release);
        self.audience.published();
    }
}

impl Drop for Broadcaster {
    fn drop(&mut self) {
        if let Some(mut writer) = self.turn.take(Until::Forever) {
            writer.audience.close();
        }
    }
}

impl Pollable for Broadcaster {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.bells.as_fd()
    }

    fn shown_by(&self, _interest: Interest) -> Interest {
        // Of room, too, it is told by its bells.
        Interest::Read
    }

    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        let mut writer = self.writer("wait", until)?;
        let end = writer.end;
        if self.options.when_full != WhenFull::Block || writer.has_room(end) {
            return Ok(());
        }
        writer.full(WhenFull::Block, end, until).map(|_| ())
    }

    fn arm(&self, _interest: Interest) -> Result<bool> {
        let mut writer = self.writer("wait", Until::Forever)?;
        writer.audience.unpark();
        writer.audience.hear()?;
        writer.audience.park();
        writer.slowest();
        Ok(self.options.when_full != WhenFull::Block || writer.has_room(writer.end))
    }
}

impl TrySend for Broadcaster {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for Broadcaster {
    fn try_flush(&self) -> Result<()> {
        // A message is there whole or not at all.
        Ok(())
    }
}
