//! Pipes whose ends try again before they sleep, beside the same pipes whose ends do not.

use std::{io, os::fd::AsFd};

use ipc_pipe::{Options, Spin};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    ours::{Ours, Pipes},
    scenario::{Shape, Side},
};

/// Pipes that spin.
pub fn family() -> Family {
    let blocking = Maker {
        name: "blocking",
        references: &[],
        ..Maker::raw(|_, meet, _| connect(meet, Spin::Never))
    };
    let spinning = Maker::ours("ipc-pipe", |_: Side, meet: &Meet, _: &Shape| {
        connect(meet, Spin::Learned)
    });
    Family {
        name: "pipe-spin",
        about: "pipes of ipc-pipe that spin before they sleep (blocking: the same, at once asleep)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![blocking, spinning],
        sweep: None,
    }
    .able(Abilities::STREAM)
}

/// Each side makes the pipe that it sends into, as a parent and its child do.
fn connect(meet: &Meet, spin: Spin) -> io::Result<Box<dyn Endpoint>> {
    let mut options = Options::new();
    options.spin(spin);
    let (tx, theirs) = options.pair()?;
    meet.send_descriptors(&[theirs.as_fd()])?;
    let [rx] = meet.recv_descriptors()?;
    let rx = options.adopt_receiver(rx)?;
    Ok(Box::new(Ours::new(Pipes { tx, rx })))
}
