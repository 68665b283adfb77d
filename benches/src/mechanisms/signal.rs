//! Queued real-time signals, taken synchronously.

use std::io;

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Shape, Side},
    sys,
};

/// Queued signals.
pub fn family() -> Family {
    let raw = Maker {
        copies: "no payload",
        // The queue of pending signals is bounded for the whole user (RLIMIT_SIGPENDING).
        window: |_| Some(64),
        ..Maker::raw(connect)
    };
    Family {
        name: "signal",
        about: "real-time signals: sigqueue and sigtimedwait; no payload but a word",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![raw],
        sweep: None,
    }
    .able(Abilities::MEMORY)
}

fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let signal = sys::real_time_signal();
    // Before the other side knows whom to signal: unblocked, it would end the process.
    sys::signal_block(signal)?;
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
    Ok(Box::new(Signals {
        process: i32::from_le_bytes(theirs),
        signal,
        value: 0,
    }))
}

struct Signals {
    process: i32,
    signal: i32,
    value: usize,
}

impl Endpoint for Signals {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if self.try_send(message)? {
            return Ok(());
        }
        Err(io::Error::other(
            "the queue of signals is full (RLIMIT_SIGPENDING)",
        ))
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        sys::signal_take(self.signal, false).map(drop)
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        self.value = self.value.wrapping_add(1);
        sys::signal_queue(self.process, self.signal, self.value)
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        Ok(sys::signal_take(self.signal, true)?.is_some())
    }
}
