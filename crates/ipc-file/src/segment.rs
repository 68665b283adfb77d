//! The file of a log as its writers share it: opening, recovery, and one durable append.
//!
//! Two locks order the writers of all processes. Whoever holds `SYNC` may make the file durable;
//! whoever holds `APPEND` knows where the last record ends, and may write behind it. Who takes
//! both takes `SYNC` first. The kernel gives both back when their holder dies.

use crate::header::{self, RECORDS_AT, State};
use crate::scan::{Scan, Step};
use crate::temporary::{Names, Temporary};
use crate::vfs::{How, PlaceLock, Vfs, VfsFile, check_file, failed, write_all};
use crate::{record, sys};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::crash_point;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Held alone by who writes records.
const APPEND: Range<u8> = 0..1;
/// Held alone by who makes the file durable.
const SYNC: Range<u8> = 1..2;
/// Both.
const APPEND_AND_SYNC: Range<u8> = 0..2;
/// Shared by all who have the log open to append.
const WRITERS: Range<u8> = 2..3;
/// Shared by all who have it open to read.
pub(crate) const READERS: Range<u8> = 3..4;

/// What was found, and done, when a log was opened to append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes at the end that were cut off: a record that its writer did not finish, and so was
    /// never told that it is durable.
    pub torn_bytes: u64,
    /// Where records stood that are damaged, as far as this was looked at: readers say so too.
    pub damaged: Vec<Range<u64>>,
    /// Bytes that were durable and are gone from the end: somebody else cut the file.
    pub missing_bytes: u64,
    /// The header was damaged in one of its copies, or what says how far the log is durable;
    /// both are whole again.
    pub header_repaired: bool,
}

/// The file, open to append.
#[derive(Debug)]
pub(crate) struct Segment {
    file: Box<dyn VfsFile>,
    name: PathBuf,
    id: u64,
    /// Where the last record ends, as far as this process knows.
    end: Mutex<u64>,
    /// Room for looking at what others have appended.
    scan: Mutex<Scan>,
    recovery: Recovery,
}

impl Segment {
    pub(crate) fn open(vfs: &Arc<dyn Vfs>, name: &Path, mode: u32) -> Result<Self> {
        let names = temporary_names(name);
        names.sweep("open log", vfs.as_ref())?;
        loop {
            let Some(file) = open_or_create(vfs.as_ref(), name, &names, mode)? else {
                continue;
            };
            let fail = |error: io::Error| failed("open log", name, &error);
            file.lock(WRITERS, false, true).map_err(fail)?;
            let sync = PlaceLock::wait(file.as_ref(), SYNC).map_err(fail)?;
            let append = PlaceLock::wait(file.as_ref(), APPEND).map_err(fail)?;
            let found = file.identity().map_err(fail)?;
            let named = vfs.identity(name).map_err(fail)?;
            if !named.is_some_and(|named| named.is(&found)) {
                // Removed or replaced between our open and our lock.
                continue;
            }
            let (id, recovery, end) = recover(vfs.as_ref(), file.as_ref(), name)?;
            drop((sync, append));
            return Ok(Self {
                name: name.into(),
                id,
                end: Mutex::new(end),
                scan: Mutex::new(Scan::new(id, end)),
                recovery,
                file,
            });
        }
    }

    pub(crate) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Appends a batch of records and makes them durable.
    pub(crate) fn commit(&self, batch: &mut [u8]) -> Result<()> {
        let fail = |error: io::Error| failed("append", &self.name, &error);
        let file = self.file.as_ref();
        // Alone, both steps are one, with half of the calls.
        if let Some(_both) = PlaceLock::attempt(file, APPEND_AND_SYNC).map_err(fail)?
            && !file.others_lock(WRITERS).map_err(fail)?
        {
            crash_point!("log.alone");
            let end = self.write(batch)?;
            crash_point!("log.alone_written");
            return self.sync(end);
        }
        let append = PlaceLock::wait(file, APPEND).map_err(fail)?;
        crash_point!("log.append_locked");
        let end = self.write(batch)?;
        drop(append);
        crash_point!("log.written");
        let _sync = PlaceLock::wait(file, SYNC).map_err(fail)?;
        crash_point!("log.sync_locked");
        self.sync(end)
    }

    /// Writes behind the last record; where the batch ends then. The caller holds `APPEND`.
    fn write(&self, batch: &mut [u8]) -> Result<u64> {
        let fail = |error: io::Error| failed("append", &self.name, &error);
        let mut end = lock(&self.end);
        self.find_end(&mut end)?;
        record::place(batch, self.id, *end);
        if let Err(error) = write_all(self.file.as_ref(), batch, *end) {
            // What is out of it is nobody's: the next append would cut it off as well.
            let _ = self.file.set_len(*end);
            return Err(fail(error));
        }
        *end += batch.len() as u64;
        Ok(*end)
    }

    /// Looks at what others have appended since, and cuts off what a dead one did not finish.
    /// The caller holds `APPEND`.
    fn find_end(&self, end: &mut u64) -> Result<()> {
        let fail = |error: io::Error| failed("append", &self.name, &error);
        let length = self.file.len().map_err(fail)?;
        if length == *end {
            return Ok(());
        }
        if length < *end {
            return Err(Error::new("append", ErrorKind::Corrupt)
                .on(self.name.display())
                .hint("somebody else has cut the file: open the log again"));
        }
        let mut scan = lock(&self.scan);
        scan.seek(*end);
        scan.forget();
        let file = self.file.as_ref();
        let synced = State::read(file, self.id).map_err(fail)?;
        let synced = synced.map_or(*end, |state| state.synced);
        let mut damaged = Vec::new();
        let walked = walk(file, &mut scan, synced, length, &mut damaged);
        let tail = walked.map_err(fail)?;
        tail.settle(file, length).map_err(fail)?;
        *end = tail.end;
        crash_point!("log.tail_settled");
        Ok(())
    }

    /// Returns when all before `end` is durable, by whosever doing. The caller holds `SYNC`.
    fn sync(&self, end: u64) -> Result<()> {
        let fail = |error: io::Error| failed("append", &self.name, &error);
        let file = self.file.as_ref();
        let state = State::read(file, self.id).map_err(fail)?;
        if state.is_some_and(|state| state.failed) {
            return Err(final_failure(&self.name));
        }
        if state.is_some_and(|state| state.synced >= end) {
            return Ok(());
        }
        let shared = file.others_lock(WRITERS).map_err(fail)?;
        let end = if shared { self.shared_end()? } else { end };
        if let Err(error) = file.sync() {
            // Whoever syncs next may be told that all is well: so all are told, for good.
            let synced = state.map_or(RECORDS_AT, |state| state.synced);
            let failed_state = State {
                synced,
                failed: true,
            };
            let _ = failed_state.write(file, self.id);
            return Err(final_failure(&self.name).caused_by(error));
        }
        crash_point!("log.synced");
        // Alone, what others would have to be told need not be written. Looked at after the sync:
        // a reader that comes later finds the record there, and makes sure of it for itself.
        if shared || file.others_lock(READERS).map_err(fail)? {
            let state = State {
                synced: end,
                failed: false,
            };
            state.write(file, self.id).map_err(fail)?;
            crash_point!("log.published");
        }
        Ok(())
    }

    /// The end of the last record of all processes.
    fn shared_end(&self) -> Result<u64> {
        let fail = |error: io::Error| failed("append", &self.name, &error);
        let _append = PlaceLock::wait(self.file.as_ref(), APPEND).map_err(fail)?;
        let mut end = lock(&self.end);
        self.find_end(&mut end)?;
        Ok(*end)
    }
}

/// What a walk found at the end.
struct End {
    /// Where the next record goes.
    end: u64,
    torn_bytes: u64,
}

impl End {
    /// Cuts off what is torn; fills up to where a record may begin.
    fn settle(&self, file: &dyn VfsFile, length: u64) -> io::Result<()> {
        if self.end == length {
            return Ok(());
        }
        file.set_len(self.end)
    }
}

/// Walks from the scan's position to `length`. What stands before `synced` was durable and is
/// never cut off, nor is what might have been: only what was certainly not written to its end.
fn walk(
    file: &dyn VfsFile,
    scan: &mut Scan,
    synced: u64,
    length: u64,
    damaged: &mut Vec<Range<u64>>,
) -> io::Result<End> {
    loop {
        match scan.step(file, length)? {
            Step::Record { .. } => {}
            Step::Damaged { start, end } => damaged.push(start..end),
            Step::Tail { start, .. } if start == length => {
                return Ok(End {
                    end: start,
                    torn_bytes: 0,
                });
            }
            Step::Tail { start, torn: true } if start >= synced => {
                return Ok(End {
                    end: start,
                    torn_bytes: length - start,
                });
            }
            Step::Tail { start, .. } => {
                let end = length.next_multiple_of(record::ALIGN_BYTES);
                damaged.push(start..end);
                return Ok(End { end, torn_bytes: 0 });
            }
        }
    }
}

/// Finds or makes a whole log. The caller holds both locks.
fn recover(vfs: &dyn Vfs, file: &dyn VfsFile, name: &Path) -> Result<(u64, Recovery, u64)> {
    let fail = |error: io::Error| failed("open log", name, &error);
    let mut recovery = Recovery::default();
    let header::Found { id, whole } =
        header::read(file).map_err(|error| error.on(name.display()))?;
    if !whole {
        header::write(file, id).map_err(fail)?;
        recovery.header_repaired = true;
    }
    crash_point!("log.header_read");
    let state = State::read(file, id).map_err(fail)?;
    if state.is_some_and(|state| state.failed) && file.others_lock(WRITERS).map_err(fail)? {
        return Err(final_failure(name));
    }
    recovery.header_repaired |= state.is_none();
    let length = file.len().map_err(fail)?.max(RECORDS_AT);
    let synced = state.map_or(RECORDS_AT, |state| state.synced.max(RECORDS_AT));
    recovery.missing_bytes = synced.saturating_sub(length);
    // What was durable was whole: it is not looked at again, but where it must be.
    let from = match state {
        Some(state) if !state.failed && synced <= length => synced,
        _ => RECORDS_AT,
    };
    let mut scan = Scan::new(id, from);
    let end = walk(file, &mut scan, synced, length, &mut recovery.damaged).map_err(fail)?;
    recovery.torn_bytes = end.torn_bytes;
    end.settle(file, length).map_err(fail)?;
    crash_point!("log.cut");
    if state.is_some_and(|state| state.failed) {
        rewrite(file, synced, end.end).map_err(fail)?;
    }
    file.sync().map_err(fail)?;
    vfs.sync_directory(Path::new("")).map_err(fail)?;
    crash_point!("log.recovered");
    let state = State {
        synced: end.end,
        failed: false,
    };
    state.write(file, id).map_err(fail)?;
    Ok((id, recovery, end.end))
}

/// Writes again what may be in memory only, though the kernel believes that it is on the disk:
/// that is what a failed fsync leaves.
fn rewrite(file: &dyn VfsFile, from: u64, to: u64) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    let mut at = from;
    while at < to {
        let most = usize::try_from(to - at).map_or(bytes.len(), |left| left.min(bytes.len()));
        let length = file.read_at(&mut bytes[..most], at)?;
        if length == 0 {
            break;
        }
        write_all(file, &bytes[..length], at)?;
        at += length as u64;
    }
    Ok(())
}

/// The file that has the name; `None` where that changed meanwhile.
fn open_or_create(
    vfs: &dyn Vfs,
    name: &Path,
    names: &Names,
    mode: u32,
) -> Result<Option<Box<dyn VfsFile>>> {
    let fail = |error: io::Error| failed("open log", name, &error);
    // Looked at before it is opened: to open a device may do something.
    if let Some(found) = vfs.identity(name).map_err(fail)? {
        check_file("open log", name, &found)?;
        return match vfs.open(name, How::Write) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fail(error)),
        };
    }
    // A log has its name from the moment that its header is durable: whatever has the name and no
    // header is something else.
    let new = Temporary::create("open log", vfs, names, mode)?;
    crash_point!("log.created");
    new.fill(&header::fresh(sys::random()?))?;
    crash_point!("log.header_written");
    match new.rename_new(name) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names of logs that are being made at this name.
fn temporary_names(name: &Path) -> Names {
    let hash = crc32c::crc32c(name.as_os_str().as_bytes());
    Names::new(Path::new(""), format!(".ipc-log.{hash:08x}."))
}

pub(crate) fn final_failure(name: &Path) -> Error {
    Error::new("append", ErrorKind::Closed)
        .on(name.display())
        .hint("making it durable has failed, which is final: all who append must open it again")
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
