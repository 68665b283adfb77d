//! The queue of many producers and many consumers, and the way members come to it.

mod consumer;
mod join;
mod layout;
mod member;
mod peers;
mod producer;
mod queue;
mod slots;

pub use self::consumer::Consumer;
pub use self::layout::MAX_MEMBERS;
pub use self::producer::{Producer, Slot};
pub use self::queue::Queue;

use self::layout::Role;
use crate::Options;
use crate::options::named;
use ipc_core::{Result, Until, four_forms};
use ipc_uds::{SeqPacket, ToAddress};

impl Options {
    /// Makes a queue of messages that many processes send and many receive. Its bytes are shared
    /// by its messages in equal parts.
    ///
    /// # Errors
    /// As [`pair`](Options::pair), but that the oldest messages can be dropped.
    pub fn queue(&self) -> Result<Queue> {
        Queue::new(self)
    }

    four_forms! {
        /// Connects to the process that listens at `address` as a producer of its [`Queue`].
        ///
        /// # Errors
        /// As [`connect`](Options::connect).
        produce / try_produce / produce_timeout / produce_deadline
            = produce_until(address: impl ToAddress) -> Producer
    }

    four_forms! {
        /// Connects to the process that listens at `address` as a consumer of its [`Queue`].
        ///
        /// # Errors
        /// As [`connect`](Options::connect).
        consume / try_consume / consume_timeout / consume_deadline
            = consume_until(address: impl ToAddress) -> Consumer
    }

    /// Becomes a producer of the [`Queue`] at the other end of `socket`, which
    /// [adds](Queue::add) it.
    ///
    /// # Errors
    /// As [`over`](Options::over).
    pub fn produce_over(&self, socket: SeqPacket) -> Result<Producer> {
        self.produce_with(&socket, Until::Forever)
    }

    /// Becomes a consumer of the [`Queue`] at the other end of `socket`, which
    /// [adds](Queue::add) it.
    ///
    /// # Errors
    /// As [`over`](Options::over).
    pub fn consume_over(&self, socket: SeqPacket) -> Result<Consumer> {
        self.consume_with(&socket, Until::Forever)
    }

    fn produce_until(&self, address: impl ToAddress, until: Until) -> Result<Producer> {
        let shown = address.to_address();
        let joined = self.produce_with(&self.socket_until(address, until)?, until);
        joined.map_err(|error| named(error, shown))
    }

    fn consume_until(&self, address: impl ToAddress, until: Until) -> Result<Consumer> {
        let shown = address.to_address();
        let joined = self.consume_with(&self.socket_until(address, until)?, until);
        joined.map_err(|error| named(error, shown))
    }

    fn produce_with(&self, socket: &SeqPacket, until: Until) -> Result<Producer> {
        let member = join::join(socket, Role::Producer, self, until)?;
        Ok(Producer::new(member, self.when_full))
    }

    fn consume_with(&self, socket: &SeqPacket, until: Until) -> Result<Consumer> {
        join::join(socket, Role::Consumer, self, until).map(Consumer::new)
    }
}
