#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod change;
mod claim;
mod disk;
mod document;
mod header;
mod lock;
mod log;
mod options;
mod reader;
mod record;
mod scan;
mod segment;
mod snapshot;
mod spool;
mod sys;
mod temporary;
mod vfs;
mod wake;
mod watch;

pub use crate::{
    change::{Change, ChangeKind},
    claim::Claim,
    document::Document,
    lock::{Guard, Lock},
    log::Log,
    options::Options,
    reader::Reader,
    segment::Recovery,
    spool::Spool,
    vfs::{How, Identity, Kind, Vfs, VfsFile},
    watch::{Watch, WatchId},
};
pub use ipc_core::{Error, ErrorKind, Mode, Result};

/// The longest record, message or document where no other limit is set: 4 MiB.
pub const DEFAULT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Opens the file at `path` to be locked, with the default options.
///
/// # Errors
/// As [`Options::open_lock`].
pub fn open_lock(path: impl AsRef<std::path::Path>) -> Result<Lock> {
    Options::new().open_lock(path)
}

/// Opens the document at `path` with the default options.
///
/// # Errors
/// As [`Options::open_document`].
pub fn open_document(path: impl AsRef<std::path::Path>) -> Result<Document> {
    Options::new().open_document(path)
}

/// Opens the spool at `path` with the default options.
///
/// # Errors
/// As [`Options::open_spool`].
pub fn open_spool(path: impl AsRef<std::path::Path>) -> Result<Spool> {
    Options::new().open_spool(path)
}

/// Opens the log at `path` to append, with the default options.
///
/// # Errors
/// As [`Options::open_log`].
pub fn open_log(path: impl AsRef<std::path::Path>) -> Result<Log> {
    Options::new().open_log(path)
}

/// Opens the log at `path` to read and follow it, with the default options.
///
/// # Errors
/// As [`Options::follow`].
pub fn follow(path: impl AsRef<std::path::Path>) -> Result<Reader> {
    Options::new().follow(path)
}

/// A watch over nothing yet, with the default options.
///
/// # Errors
/// As [`Options::watch`].
pub fn watch() -> Result<Watch> {
    Options::new().watch()
}
