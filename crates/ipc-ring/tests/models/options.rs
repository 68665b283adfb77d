//! How the models make channels: as small as they may be, without looking before they sleep.

use crate::bell::bell;
use crate::ground::{Region, SeqPacket};
use crate::layout::{AT_SLOTS, Shape};
use crate::link::Link;
use crate::{Receiver, Result, Sender, Spin, WhenFull};
use ipc_core::Until;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) spin: Spin,
    pub(crate) when_full: WhenFull,
    pub(crate) meet_timeout: Duration,
}

impl Options {
    pub(crate) fn new(messages: usize, when_full: WhenFull) -> Self {
        Self {
            messages,
            bytes: 128,
            spin: Spin::Never,
            when_full,
            meet_timeout: Duration::MAX,
        }
    }

    pub(crate) fn shape(&self) -> Result<Shape> {
        Shape::new(self.messages, self.bytes)
    }

    /// The time of a peer's part is not over in any schedule.
    pub(crate) fn meet_until(&self, until: Until) -> Until {
        match until {
            Until::At(wanted) => Until::At(wanted),
            _ => Until::after(self.meet_timeout),
        }
    }

    pub(crate) fn pair(&self) -> (Sender, Receiver) {
        let shape = self.shape().expect("a shape");
        let (sends, takes) = (Region::new(shape.region_bytes()), Region::new(AT_SLOTS));
        let ((wake_receiver, receiver_bell), (wake_sender, sender_bell)) = (bell(), bell());
        let link = |own, theirs, rope, bell| {
            Link::new(own, theirs, rope, bell, self.spin).expect("memory")
        };
        let sender = link(&sends, &takes, wake_receiver, sender_bell);
        let receiver = link(&takes, &sends, wake_sender, receiver_bell);
        let sender = Sender::new(sender, shape, self.when_full).expect("slots");
        (sender, Receiver::new(receiver, shape).expect("slots"))
    }
}

/// No model listens.
#[derive(Debug)]
pub struct Listener;

impl Listener {
    pub(crate) fn socket_until(&self, _: Until) -> Result<SeqPacket> {
        unimplemented!("no model listens")
    }
}
