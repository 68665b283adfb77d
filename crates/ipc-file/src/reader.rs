//! A reader of a log, which follows it: what is durable, in order, and what is lost.

use crate::header::{self, RECORDS_AT, State};
use crate::record::ALIGN_BYTES;
use crate::scan::{Scan, Step};
use crate::segment::{READERS, lock};
use crate::sys;
use crate::vfs::{How, Vfs, VfsFile, check_file, failed};
use crate::wake::Wake;
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, TryRecv, Until, four_forms};
use rustix::fs::inotify::WatchFlags;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Reads a log from its beginning, and then waits for what is appended.
///
/// It gives what is durable: no power loss takes back what a reader has seen. Where a record is
/// damaged, `recv` says [`Corrupt`](ErrorKind::Corrupt) once, with the place, and goes on behind
/// it with the next call.
#[derive(Debug)]
pub struct Reader {
    file: Box<dyn VfsFile>,
    name: PathBuf,
    id: u64,
    wake: Wake,
    turn: Mutex<Turn>,
    /// The last look found nothing: whatever comes after it shows at the descriptor.
    drained: AtomicBool,
}

/// Where the reader is.
#[derive(Debug)]
struct Turn {
    scan: Scan,
    /// All before this is durable, or was when the reader began.
    durable: u64,
    /// What of that is only the length that the file had at first: the last record may be torn.
    provisional: bool,
    /// Durable bytes that are gone from the end are reported once.
    missing_told: bool,
}

impl Reader {
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, name: &Path, polled: Option<Duration>) -> Result<Self> {
        let fail = |error: io::Error| failed("follow log", name, &error);
        let Some(found) = vfs.identity(name).map_err(fail)? else {
            return Err(Error::new("follow log", ErrorKind::NotFound)
                .on(name.display())
                .hint("no log has this name yet"));
        };
        check_file("follow log", name, &found)?;
        let file = vfs.open(name, How::Read).map_err(fail)?;
        check_file("follow log", name, &file.identity().map_err(fail)?)?;
        // Before anything is read: from here on writers tell what is durable.
        file.lock(READERS, false, true).map_err(fail)?;
        let wake = wake(file.as_ref(), polled)?;
        let found = header::read(file.as_ref()).map_err(|error| error.on(name.display()))?;
        let id = found.id;
        let length = file.len().map_err(fail)?;
        // What was written by processes that have died since is not durable by itself.
        file.sync().map_err(fail)?;
        // Where making it durable has failed, the next fsync means nothing.
        let state = State::read(file.as_ref(), id).map_err(fail)?;
        let failed_at = state.filter(|state| state.failed).map(|state| state.synced);
        let turn = Turn {
            scan: Scan::new(id, RECORDS_AT),
            durable: failed_at.unwrap_or(length).max(RECORDS_AT),
            provisional: failed_at.is_none(),
            missing_told: false,
        };
        Ok(Self {
            file,
            name: vfs.shown(name),
            id,
            wake,
            turn: Mutex::new(turn),
            drained: AtomicBool::new(false),
        })
    }

    four_forms! {
        /// Receives the next record into `buffer` and returns its length.
        ///
        /// # Errors
        /// [`Corrupt`](ErrorKind::Corrupt) where a record is damaged: the next call goes on
        /// behind it; [`TooLarge`](ErrorKind::TooLarge) where it does not fit: it stays;
        /// [`Closed`](ErrorKind::Closed) at the end of a log whose name is gone.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Receives the next record of any length: `buffer` is replaced by it.
        ///
        /// # Errors
        /// As [`recv`](Reader::recv), without `TooLarge`.
        recv_vec / try_recv_vec / recv_vec_timeout / recv_vec_deadline
            = recv_vec_until(buffer: &mut Vec<u8>) -> ()
    }

    /// Where the next record begins: to go on from there later, by [`seek`](Reader::seek).
    #[must_use]
    pub fn position(&self) -> u64 {
        lock(&self.turn).scan.position()
    }

    /// Goes on from a position that [`position`](Reader::position) gave; 0 is the first record.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) where no record can begin there.
    pub fn seek(&self, position: u64) -> Result<()> {
        if !position.is_multiple_of(ALIGN_BYTES) {
            return Err(Error::new("seek", ErrorKind::InvalidInput)
                .hint("a record begins at a multiple of 16"));
        }
        lock(&self.turn).scan.seek(position.max(RECORDS_AT));
        Ok(())
    }

    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.take(until, |payload| {
            let length = payload.len();
            let Some(place) = buffer.get_mut(..length) else {
                return Err(Error::new("recv", ErrorKind::TooLarge)
                    .hint(format!("the record has {length} bytes: use recv_vec")));
            };
            place.copy_from_slice(payload);
            Ok(length)
        })
    }

    fn recv_vec_until(&self, buffer: &mut Vec<u8>, until: Until) -> Result<()> {
        self.take(until, |payload| {
            buffer.clear();
            buffer.extend_from_slice(payload);
            Ok(())
        })
    }

    fn take<R>(&self, until: Until, mut give: impl FnMut(&[u8]) -> Result<R>) -> Result<R> {
        self.drained.store(false, Ordering::Relaxed);
        loop {
            if let Some(outcome) = self.next(&mut give)? {
                return Ok(outcome);
            }
            // Taken before the last look: what comes after it shows again.
            self.wake.take(&mut Vec::new())?;
            if let Some(outcome) = self.next(&mut give)? {
                return Ok(outcome);
            }
            if self.file.identity().is_ok_and(|found| found.names == 0) {
                return Err(Error::new("recv", ErrorKind::Closed)
                    .on(self.name.display())
                    .hint("the log was removed, and all of it was read"));
            }
            if until == Until::Now {
                self.drained.store(true, Ordering::Relaxed);
                return Err(until.over("recv"));
            }
            self.wake.wait("recv", until)?;
        }
    }

    /// Whether something is to be had that no notice will tell of any more.
    fn has_more(&self) -> Result<bool> {
        let mut turn = lock(&self.turn);
        let advanced = self.advance(&mut turn);
        advanced.map_err(|error| failed("wait", &self.name, &error))?;
        // What is missing from the end has been told: only if it comes back is there more.
        let there = !turn.missing_told || {
            let length = self.file.len();
            length.map_err(|error| failed("wait", &self.name, &error))? >= turn.durable
        };
        Ok(turn.scan.position() < turn.durable && there)
    }

    /// The next record, if it is there and durable.
    fn next<R>(&self, give: &mut impl FnMut(&[u8]) -> Result<R>) -> Result<Option<R>> {
        let fail = |error: io::Error| failed("recv", &self.name, &error);
        let mut turn = lock(&self.turn);
        let turn = &mut *turn;
        let mut again = false;
        loop {
            let before = turn.scan.position();
            let step = (turn.scan)
                .step(self.file.as_ref(), turn.durable)
                .map_err(fail)?;
            match step {
                Step::Record { payload, .. } => {
                    let given = give(turn.scan.payload(&payload));
                    if given.is_err() {
                        turn.scan.seek(before);
                    }
                    return given.map(Some);
                }
                // It may have been written while it was read: then all of it is there now, since
                // a record is begun only when the one before it is whole.
                Step::Damaged { .. } if turn.provisional && !again => {
                    turn.scan.seek(before);
                    turn.scan.forget();
                    again = true;
                }
                Step::Tail { .. } if turn.provisional => self.settle(turn).map_err(fail)?,
                Step::Damaged { start, end } => return Err(self.lost(start, end)),
                Step::Tail { start, .. } if start >= turn.durable => {
                    if !self.advance(turn).map_err(fail)? {
                        return Ok(None);
                    }
                }
                // Durable bytes in which no record begins.
                Step::Tail { start, .. } => {
                    let end = turn.durable.next_multiple_of(ALIGN_BYTES);
                    if self.file.len().map_err(fail)? < turn.durable {
                        if std::mem::replace(&mut turn.missing_told, true) {
                            return Ok(None);
                        }
                    } else {
                        turn.scan.seek(end);
                    }
                    return Err(self.lost(start, end));
                }
            }
        }
    }

    /// From the length that the file had at first to what its writers say.
    fn settle(&self, turn: &mut Turn) -> io::Result<()> {
        let said = State::read(self.file.as_ref(), self.id)?.map_or(0, |state| state.synced);
        turn.provisional = false;
        turn.durable = said.max(turn.scan.position());
        turn.scan.forget();
        Ok(())
    }

    /// Learns how far the log is durable by now; whether that is further.
    fn advance(&self, turn: &mut Turn) -> io::Result<bool> {
        // It may be read while it is written; then its writer's next notice is to come.
        let state = State::read(self.file.as_ref(), self.id)?;
        let further = state.is_some_and(|state| state.synced > turn.durable);
        if let (true, Some(state)) = (further, state) {
            turn.durable = state.synced;
            turn.scan.forget();
        }
        Ok(further)
    }

    fn lost(&self, start: u64, end: u64) -> Error {
        Error::new("recv", ErrorKind::Corrupt)
            .on(self.name.display())
            .hint(format!(
                "bytes {start}..{end} are damaged, and with them a record; the next call goes on \
                 behind them"
            ))
    }
}

/// Something that shows when the file changes; where its file system tells of no changes, at
/// each interval, if one was asked for.
fn wake(file: &dyn VfsFile, polled: Option<Duration>) -> Result<Wake> {
    let wake = Wake::new(polled)?;
    let (Some(fd), None) = (file.descriptor(), polled) else {
        return Ok(wake);
    };
    if let Some(kind) = sys::silent_file_system(fd)? {
        return Err(silent("follow log", kind));
    }
    let mask = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::DELETE_SELF;
    wake.watch(fd, mask)?;
    Ok(wake)
}

/// The refusal to wait for what is never told.
pub(crate) fn silent(operation: &'static str, kind: &str) -> Error {
    Error::new(operation, ErrorKind::Unsupported).hint(format!(
        "{kind} does not tell of changes that others make: ask for looks at intervals with \
         Options::polling"
    ))
}

impl Pollable for Reader {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        while !self.has_more()? {
            self.wake.wait("wait", until)?;
            self.wake.take(&mut Vec::new())?;
        }
        Ok(())
    }
    fn arm(&self, _interest: Interest) -> Result<bool> {
        Ok(!self.drained.load(Ordering::Relaxed))
    }
}

impl TryRecv for Reader {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        Self::try_recv(self, buffer)
    }
}
