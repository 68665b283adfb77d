//! Queued real-time signals, taken synchronously.

use std::{io, os::fd::OwnedFd};

use ipc_signal::{Options, Receiver, Signal, Target};
use rustix::io::Errno;

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    ours::tried,
    scenario::{Shape, Side},
    sys,
};

/// What the kernel writes for one signal (signalfd(2)).
const RECORD_BYTES: usize = 128;

/// Queued signals. Each maker has a number of its own, since all ends live in one process.
pub fn family() -> Family {
    let raw = Maker {
        references: &["sigtimedwait"],
        ..without_payload(Maker::raw(connect_descriptor))
    };
    let waiting = Maker {
        name: "sigtimedwait",
        ..without_payload(Maker::raw(connect_waiting))
    };
    let ours = without_payload(Maker::ours("ipc-signal", connect_ours));
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![raw, waiting, ours];
    #[cfg(feature = "peers")]
    makers.push(peer::maker());
    Family {
        name: "signal",
        about: "real-time signals: sigqueue and signalfd (raw), or sigtimedwait; no payload but a word",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MEMORY)
}

fn without_payload(maker: Maker) -> Maker {
    Maker {
        copies: "no payload",
        // The queue of pending signals is bounded for the whole user (RLIMIT_SIGPENDING).
        window: |_| Some(64),
        ..maker
    }
}

/// Tells the other side this process, and learns whom to signal. The caller is ready to be
/// signalled: before that the signal would end the process.
fn exchange(side: Side, meet: &Meet) -> io::Result<i32> {
    let mine = std::process::id().to_le_bytes();
    let theirs = match side {
        Side::Server => {
            meet.send(&mine)?;
            meet.recv()?
        }
        Side::Client => {
            let theirs = meet.recv()?;
            meet.send(&mine)?;
            theirs
        }
    };
    let theirs = <[u8; 4]>::try_from(theirs)
        .map_err(|_| io::Error::other("a process number has four bytes"))?;
    Ok(i32::from_le_bytes(theirs))
}

fn full() -> io::Error {
    io::Error::other("the queue of signals is full (RLIMIT_SIGPENDING)")
}

/// Sends by sigqueue(3).
struct Queue {
    process: i32,
    signal: i32,
    value: usize,
}

impl Queue {
    fn try_send(&mut self) -> io::Result<bool> {
        self.value = self.value.wrapping_add(1);
        sys::signal_queue(self.process, self.signal, self.value)
    }

    fn send(&mut self) -> io::Result<()> {
        if self.try_send()? { Ok(()) } else { Err(full()) }
    }
}

fn connect_descriptor(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let signal = sys::real_time_signal();
    sys::signal_block(signal)?;
    let rx = sys::signal_descriptor(signal, shape.scenario.polls())?;
    let process = exchange(side, meet)?;
    let (value, tx) = (0, signal);
    let tx = Queue {
        process,
        signal: tx,
        value,
    };
    Ok(Box::new(ByDescriptor { tx, rx }))
}

struct ByDescriptor {
    tx: Queue,
    rx: OwnedFd,
}

impl Endpoint for ByDescriptor {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.tx.send()
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        let mut record = [0; RECORD_BYTES];
        rustix::io::retry_on_intr(|| rustix::io::read(&self.rx, &mut record))?;
        Ok(())
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        self.tx.try_send()
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        let mut record = [0; RECORD_BYTES];
        match rustix::io::read(&self.rx, &mut record) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn connect_waiting(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let signal = sys::real_time_signal() + 1;
    sys::signal_block(signal)?;
    let process = exchange(side, meet)?;
    Ok(Box::new(ByWaiting(Queue {
        process,
        signal,
        value: 0,
    })))
}

struct ByWaiting(Queue);

impl Endpoint for ByWaiting {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.0.send()
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        sys::signal_take(self.0.signal, false).map(drop)
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        self.0.try_send()
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        Ok(sys::signal_take(self.0.signal, true)?.is_some())
    }
}

pub(super) fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let signal = Signal::real_time(2)?;
    let (tx, rx) = ends(side, meet, signal)?;
    Ok(Box::new(Signals {
        tx,
        rx,
        signal,
        value: 0,
    }))
}

pub(super) fn ends(
    side: Side,
    meet: &Meet,
    signal: Signal,
) -> io::Result<(Target<'static>, Receiver)> {
    // In the single-thread form the ends are made by two threads, of which one lives on.
    let rx = Options::new().unchecked_threads(true).receiver(signal)?;
    let tx = Target::process(exchange(side, meet)?.cast_unsigned())?;
    Ok((tx, rx))
}

struct Signals {
    tx: Target<'static>,
    rx: Receiver,
    signal: Signal,
    value: i32,
}

impl Endpoint for Signals {
    #[inline]
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.value = self.value.wrapping_add(1);
        Ok(self.tx.notify_with(self.signal, self.value)?)
    }

    #[inline]
    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(self.rx.wait().map(drop)?)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        self.send(message).map(|()| true)
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        Ok(tried(self.rx.try_wait())?.is_some())
    }
}

#[cfg(feature = "peers")]
mod peer {
    //! The iterator of `signal-hook`: a handler, a pipe to itself, and flags instead of a queue.

    use std::{collections::VecDeque, io};

    use signal_hook::iterator::Signals;

    use super::{Queue, exchange, without_payload};
    use crate::{
        family::{Endpoint, Maker, no_polling},
        meet::Meet,
        scenario::{Scenario, Shape, Side},
    };

    pub(super) fn maker() -> Maker {
        Maker {
            name: "signal-hook",
            fits: |shape| match shape.scenario {
                Scenario::OneWay => Err("it keeps a flag for each number and counts none".into()),
                _ => no_polling(shape),
            },
            ..without_payload(Maker::std(connect))
        }
    }

    fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        // A standard signal is no worse for flags, and all that a tracer can hand on by name.
        let signal = libc::SIGUSR2;
        let rx = Signals::new([signal])?;
        let process = exchange(side, meet)?;
        let tx = Queue {
            process,
            signal,
            value: 0,
        };
        let pending = VecDeque::new();
        Ok(Box::new(Hooked { tx, rx, pending }))
    }

    struct Hooked {
        tx: Queue,
        rx: Signals,
        pending: VecDeque<i32>,
    }

    impl Endpoint for Hooked {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            self.tx.send()
        }

        fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
            while self.pending.pop_front().is_none() {
                self.pending.extend(self.rx.wait());
            }
            Ok(())
        }
    }
}
