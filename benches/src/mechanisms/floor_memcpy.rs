//! Floor: one copy of the payload within a process, from and to warm memory.

use std::{hint::black_box, io};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// The copy.
pub fn family() -> Family {
    let raw = Maker {
        copies: "1",
        fits,
        verifies: false,
        ..Maker::raw(connect)
    };
    Family {
        name: "memcpy",
        about: "one copy of the payload within a process",
        role: Role::Floor,
        payload: true,
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

fn connect(_: Side, _: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Copy {
        to: vec![1; shape.size],
    }))
}

struct Copy {
    to: Vec<u8>,
}

impl Endpoint for Copy {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.to.copy_from_slice(black_box(message));
        black_box(&mut self.to);
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}
