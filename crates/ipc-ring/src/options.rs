//! How a channel is made.

use crate::bell::bell;
use crate::layout::{self, Shape, Side};
use crate::link::Link;
use crate::{Receiver, Sender, Spin};
use ipc_core::Result;
use ipc_shm::Region;

/// How a channel is made.
///
/// ```
/// let (sender, receiver) = ipc_ring::Options::new().capacity_messages(8).pair()?;
/// sender.send(b"ping")?;
/// let mut buffer = [0; 16];
/// assert_eq!(receiver.recv(&mut buffer)?, 4);
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    messages: usize,
    bytes: usize,
    spin: Spin,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            messages: 1024,
            bytes: 1 << 20,
            spin: Spin::default(),
        }
    }
}

impl Options {
    /// 1,024 messages, and 1 MiB for those that no slot can hold.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages may be under way: a power of two, or the next.
    pub fn capacity_messages(&mut self, messages: usize) -> &mut Self {
        self.messages = messages;
        self
    }

    /// How many bytes of messages larger than [`INLINE_BYTES`](crate::INLINE_BYTES) may be under
    /// way, and so how large one message may be.
    pub fn capacity_bytes(&mut self, bytes: usize) -> &mut Self {
        self.bytes = bytes;
        self
    }

    /// How long the ends look at memory before they sleep.
    pub fn spin(&mut self, spin: Spin) -> &mut Self {
        self.spin = spin;
        self
    }

    /// Makes a channel, both of whose ends are in this process.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a capacity out of range;
    /// [`NoSpace`](crate::ErrorKind::NoSpace) and [`LimitReached`](crate::ErrorKind::LimitReached)
    /// without memory or descriptors.
    pub fn pair(&self) -> Result<(Sender, Receiver)> {
        let shape = Shape::new(self.messages, self.bytes)?;
        let region = |side, bytes| -> Result<Region> {
            ipc_shm::Options::new()
                .size_bytes(bytes)
                .layout(layout::layout(side))
                .prefault(true)
                .anonymous()
        };
        let sends = region(Side::Sender, shape.region_bytes())?;
        let takes = region(Side::Receiver, layout::AT_SLOTS)?;
        let ((wake_receiver, receiver_bell), (wake_sender, sender_bell)) = (bell()?, bell()?);
        let sender = Link::new(sends.clone(), takes.clone(), wake_receiver, sender_bell, self.spin)?;
        let receiver = Link::new(takes, sends, wake_sender, receiver_bell, self.spin)?;
        Ok((Sender::new(sender, shape), Receiver::new(receiver, shape)))
    }
}
