//! Floor: the cheapest system call.

use std::io;

use crate::{
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
    sys,
};

/// The system call.
pub fn family() -> Family {
    let raw = Maker {
        copies: "no payload",
        fits,
        ..Maker::raw(connect)
    };
    Family {
        name: "system-call",
        about: "one system call that does nothing (getppid)",
        role: Role::Floor,
        payload: false,
        takes_whole: false,
        makers: vec![raw],
        sweep: None,
    }
}

fn fits(shape: &Shape) -> Result<(), String> {
    if shape.scenario == Scenario::SingleThread {
        return Ok(());
    }
    Err("this floor is one of a single thread".to_owned())
}

fn connect(_: Side, _: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Call))
}

struct Call;

impl Endpoint for Call {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        sys::null_call(0, 0);
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}
