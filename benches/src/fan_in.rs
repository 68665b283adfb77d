//! Several senders, one receiver: how a mechanism connects them, and who sends how much.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::event::{PollFd, PollFlags, poll};

use crate::{family::Endpoint, meet::Meet, scenario::Shape};

/// Sending processes; the client of the pair is the first of them.
pub const SENDERS: usize = 4;

/// Bytes that say who sent a message; a shorter one cannot.
pub const STAMP_BYTES: usize = 8;

/// One end of a connection, or why there is none.
pub type Connected = io::Result<Box<dyn Endpoint>>;

/// How several senders reach one receiver.
#[derive(Clone, Copy, Debug)]
pub struct FanIn {
    /// Makes the receiver, which meets one sender at each place.
    pub receiver: fn(&[Meet], &Shape) -> Connected,
    /// Makes one sender.
    pub sender: fn(&Meet, &Shape) -> Connected,
    /// The largest message that several senders can send without mixing.
    pub whole_up_to: usize,
    /// True where the harness must read off a message who sent it; a server of calls answers each
    /// client by itself.
    pub stamped: bool,
}

impl FanIn {
    /// Why messages of this size cannot come from several senders.
    pub fn fits(&self, shape: &Shape) -> Result<(), String> {
        if self.stamped && shape.size < STAMP_BYTES {
            return Err(format!(
                "a message below {STAMP_BYTES} bytes does not say who of several sent it"
            ));
        }
        if shape.size > self.whole_up_to {
            return Err(format!(
                "of several senders, messages above {} bytes may mix",
                self.whole_up_to
            ));
        }
        Ok(())
    }
}

/// What the kernel writes into a pipe without letting another writer in between (PIPE_BUF).
pub const PIPE_WHOLE: usize = 4096;

/// The messages that one sender sends of `messages` of all.
pub fn share(messages: u32, sender: usize) -> u32 {
    let (each, rest) = (messages / SENDERS as u32, messages % SENDERS as u32);
    each + u32::from((sender as u32) < rest)
}

/// Of the messages that may be under way, how many one sender may have there.
pub fn window_of_each(window: u32) -> u32 {
    (window / SENDERS as u32).max(1)
}

/// A receiver with a connection to each sender, which takes from those that poll(2) says are
/// ready, one message of each in turn.
pub struct Polled {
    ends: Vec<Box<dyn Endpoint>>,
    descriptors: Vec<OwnedFd>,
    ready: Vec<usize>,
    last: usize,
}

impl Polled {
    /// Connects to each sender by `connect`.
    pub fn connect<E: Endpoint + AsFd + 'static>(
        meets: &[Meet],
        connect: impl Fn(&Meet) -> io::Result<E>,
    ) -> io::Result<Box<dyn Endpoint>> {
        let ends = meets.iter().map(connect).collect::<io::Result<Vec<E>>>()?;
        Ok(Box::new(Polled::of(ends)?))
    }

    /// A receiver of these connections.
    pub fn of<E: Endpoint + AsFd + 'static>(connected: Vec<E>) -> io::Result<Polled> {
        let (mut ends, mut descriptors) = (Vec::new(), Vec::new());
        for end in connected {
            descriptors.push(end.as_fd().try_clone_to_owned()?);
            ends.push(Box::new(end) as Box<dyn Endpoint>);
        }
        let ready = Vec::with_capacity(ends.len());
        Ok(Polled {
            ends,
            descriptors,
            ready,
            last: 0,
        })
    }

    fn wait(&mut self) -> io::Result<()> {
        let polled = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut polled: [PollFd<'_>; SENDERS] = match self.descriptors.as_slice() {
            [a, b, c, d] => [a, b, c, d].map(|fd| polled(fd.as_fd())),
            _ => return Err(io::Error::other("a fan-in has another number of senders")),
        };
        rustix::io::retry_on_intr(|| poll(&mut polled, None))?;
        let ready = (0..SENDERS).filter(|&at| !polled[at].revents().is_empty());
        self.ready.extend(ready);
        Ok(())
    }
}

impl Endpoint for Polled {
    /// Answers whom the last message was from.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.ends[self.last].send(message)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        loop {
            if let Some(at) = self.ready.pop() {
                self.last = at;
                // A sender that has begun a message sends all of it.
                return self.ends[at].recv(into);
            }
            self.wait()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_all_there_is() {
        for messages in [0, 1, 4, 7, 1000] {
            let all: u32 = (0..SENDERS).map(|sender| share(messages, sender)).sum();
            assert_eq!(all, messages);
        }
    }
}
