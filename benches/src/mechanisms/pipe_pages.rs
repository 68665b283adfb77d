//! Bytes that never change and are sent again and again through a pipe, which holds their pages.

use std::{io, io::Write, os::fd::AsFd};

use ipc_pipe::{Pages, Vmsplice};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// What differs from one message to the next: its number, which is written as bytes.
const HEAD: usize = 8;
/// Contents that are kept; a slice compares those of a few messages, and repeats the last.
const KEPT: usize = 8;

/// Pages of a pipe.
pub fn family() -> Family {
    let ours = Maker {
        copies: "1 (out of the kernel)",
        fits: only_large_streams,
        probe: || match ipc_pipe::probe().vmsplice {
            Vmsplice::Shared => Ok(()),
            other => Err(format!("this kernel does not share pages: {other:?}")),
        },
        ..Maker::ours("ipc-pipe", connect)
    };
    Family {
        name: "pipe-pages",
        about: "a payload that never changes, its pages sent through a pipe (default: copied, the \
                kernel's capacity; copied: automatic capacity)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            copied("default", super::pipe::connect_default),
            copied("copied", super::pipe::connect_ours),
            ours,
        ],
        sweep: None,
    }
    .able(Abilities {
        fixed: true,
        ..Abilities::STREAM
    })
}

type Connect = fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>;

fn copied(name: &'static str, connect: Connect) -> Maker {
    Maker {
        name,
        fits: only_large_streams,
        ..Maker::raw(connect)
    }
}

fn only_large_streams(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::OneWay if shape.size >= 4096 => Ok(()),
        Scenario::OneWay => Err("pages are for messages of 4 KiB and more".to_owned()),
        _ => Err("what never changes is no answer: see `pipe`".to_owned()),
    }
}

fn connect(_: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, theirs) = ipc_pipe::pair()?;
    meet.send_descriptors(&[theirs.as_fd()])?;
    let [rx] = meet.recv_descriptors()?;
    let rx = ipc_pipe::Options::new().adopt_receiver(rx)?;
    let contents = Vec::with_capacity(KEPT);
    Ok(Box::new(Paged { tx, rx, contents }))
}

/// Sends the number of a message as bytes, and what follows it as pages.
struct Paged {
    tx: ipc_pipe::Sender,
    rx: ipc_pipe::Receiver,
    /// By the bytes behind the head, in which any two of the harness's contents differ.
    contents: Vec<(u64, Pages)>,
}

impl Paged {
    fn pages(&mut self, message: &[u8]) -> io::Result<Pages> {
        let body = &message[HEAD..];
        let key = body.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let known =
            |(known, pages): &&(u64, Pages)| *known == key && pages.bytes().len() == body.len();
        if let Some((_, pages)) = self.contents.iter().find(known) {
            return Ok(pages.clone());
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = std::fs::File::from(memfd_create("ipc-bench-pages", flags)?);
        file.write_all(body)?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK)?;
        let pages = Pages::of_sealed(file.as_fd())?;
        if self.contents.len() == KEPT {
            self.contents.remove(0);
        }
        self.contents.push((key, pages.clone()));
        Ok(pages)
    }
}

impl Endpoint for Paged {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let pages = self.pages(message)?;
        self.tx.send(&message[..HEAD])?;
        Ok(self.tx.send_pages(&pages)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            filled += self.rx.recv(&mut into[filled..])?;
        }
        Ok(())
    }
}
