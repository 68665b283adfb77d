//! A record appended to a file and made durable.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    mechanisms::{file_lock::place, permit::alone},
    meet::Meet,
    scenario::{Shape, Side},
};

/// Durable appends.
pub fn family() -> Family {
    let durable = |maker| Maker {
        copies: "1 (into the page cache), and to the disk",
        fits: alone,
        verifies: false,
        ..maker
    };
    Family {
        name: "file-log",
        about: "a record appended and durable (raw: write, fdatasync), where temporary files are",
        role: Role::Mechanism,
        payload: true,
        takes_whole: true,
        makers: vec![
            durable(Maker::raw(connect_raw)),
            durable(Maker::ours("ipc-file", connect_ours)),
        ],
        sweep: None,
    }
}

/// A file to which each write appends.
pub(super) fn appended(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

fn connect_raw(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Raw(appended(&place(meet, side, "log-raw"))?)))
}

struct Raw(File);

impl Endpoint for Raw {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(message)?;
        self.0.sync_data()
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let log = ipc_file::open_log(place(meet, side, "log-ours"))?;
    Ok(Box::new(Ours(log)))
}

struct Ours(ipc_file::Log);

impl Endpoint for Ours {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.0.append(message)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}
