//! A client's view: pages to read, a socket to write by.

use crate::Outcome;
use crate::pages::{Value, Write, read};
use ipc_facade::shm::Region;
use ipc_facade::uds;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to the server, and its pages.
pub(crate) struct Database {
    socket: uds::SeqPacket,
    pages: Region,
}

impl Database {
    pub(crate) fn open(directory: &Path) -> Outcome<Self> {
        let socket =
            uds::Options::new().connect_seqpacket_timeout(directory.join("socket"), PATIENCE)?;
        let mut gift = uds::Ancillary::new();
        socket.recv_with_fds_timeout(&mut [0; 16], &mut gift, PATIENCE)?;
        let pages = gift
            .take_fds()
            .next()
            .ok_or("the server has sent no pages")?;
        let pages = Region::from_fd(pages)?;
        Ok(Self { socket, pages })
    }

    pub(crate) fn write(&self, page: usize, value: &Value) -> Outcome {
        let mut write = [0; size_of::<Write>()];
        write[..4].copy_from_slice(&u32::try_from(page)?.to_le_bytes());
        write[4..].copy_from_slice(value);
        let mut answer = [0; 16];
        self.socket.send_timeout(&write, PATIENCE)?;
        match self.socket.recv_timeout(&mut answer, PATIENCE)? {
            length if &answer[..length] == b"written" => Ok(()),
            _ => Err(format!("page {page} was refused").into()),
        }
    }

    pub(crate) fn read(&self, page: usize) -> Outcome<Value> {
        Ok(read(&self.pages, page)?)
    }
}
