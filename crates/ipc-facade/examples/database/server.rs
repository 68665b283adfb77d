//! The process that may write: the log first, then the pages.

use crate::Outcome;
use crate::pages::{PAGE_BYTES, PAGES, Write, page, show};
use ipc_facade::shm::{self, Protection, Region};
use ipc_facade::{ErrorKind, file, uds};
use rustix::process::set_parent_process_death_signal;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

pub(crate) fn serve(directory: &Path) -> Outcome {
    // Whoever started it may be killed before it can say so.
    set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let store = Store::open(&directory.join("log"))?;
    // A server that was killed has left its name.
    let mut options = uds::Options::new();
    let listener = options
        .replace_stale(true)
        .bind_seqpacket(directory.join("socket"))?;
    println!("serving");
    thread::scope(|scope| {
        loop {
            let client = listener.accept()?;
            let store = &store;
            scope.spawn(move || {
                if let Err(error) = serve_one(store, &client) {
                    eprintln!("a client: {error}");
                }
            });
        }
    })
}

fn serve_one(store: &Store, client: &uds::SeqPacket) -> ipc_facade::Result<()> {
    client.send_with_fds(b"pages", &[store.pages.as_fd()?])?;
    let mut write = [0; size_of::<Write>()];
    loop {
        match client.recv(&mut write) {
            Ok(length) if length == write.len() && page(&write) < PAGES => {
                store.write(&write)?;
                client.send(b"written")?;
            }
            Ok(_) => client.send(b"refused")?, // it breaks nothing but its own request
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// The pages as the server has them, and the log behind them.
struct Store {
    pages: Region,
    log: file::Log,
    /// One writer at a time.
    turn: Mutex<()>,
}

impl Store {
    /// The pages as the log tells them.
    fn open(path: &Path) -> Outcome<Self> {
        let mut options = shm::Options::new();
        options
            .size_bytes(PAGES * PAGE_BYTES)
            .protection(Protection::ReadOnly);
        let store = Self {
            pages: options.anonymous()?,
            log: file::open_log(path)?,
            turn: Mutex::new(()),
        };
        let (written, mut record) = (store.log.reader()?, Vec::new());
        loop {
            match written.try_recv_vec(&mut record) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(store),
                other => other?,
            }
            show(&store.pages, record.as_slice().try_into()?)?;
        }
    }

    /// On the disk first, and then where everybody sees it.
    fn write(&self, write: &Write) -> ipc_facade::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.log.append(write)?;
        show(&self.pages, write)
    }
}
