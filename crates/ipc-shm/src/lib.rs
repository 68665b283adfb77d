#![doc = include_str!("../README.md")]

mod anonymous;
mod attach;
mod backing;
mod copy;
mod file;
mod header;
mod layout;
mod named;
mod options;
mod place;
mod probe;
mod protection;
mod region;
mod residence;
mod stage;
mod sys;
mod system_v;
mod typed;
#[cfg(feature = "shared-memory")]
mod upstream;

pub use crate::{
    backing::Backing,
    header::{DATA_OFFSET, FORMAT_VERSION, MAX_SIZE_BYTES, SMALL_REGION_BYTES},
    layout::layout_hash,
    options::Options,
    probe::{Probe, probe},
    protection::Protection,
    region::Region,
    residence::Advice,
    sys::{Slots, Window, WritableSlots, WritableWindow},
};
pub use ipc_core::{Error, ErrorKind, Result};

use std::path::Path;

/// Makes a region of `bytes` in sealed memory without a name, with the default options.
///
/// # Errors
/// As [`Options::anonymous`].
pub fn anonymous(bytes: usize) -> Result<Region> {
    Options::new().size_bytes(bytes).anonymous()
}

/// Makes the POSIX object `name` of `bytes`, which must be new, with the default options.
///
/// # Errors
/// As [`Options::create`].
pub fn create(name: impl AsRef<Path>, bytes: usize) -> Result<Region> {
    Options::new().size_bytes(bytes).create(name)
}

/// Opens the POSIX object `name`, which must exist, with the default options.
///
/// # Errors
/// As [`Options::open`].
pub fn open(name: impl AsRef<Path>) -> Result<Region> {
    Options::new().open(name)
}

/// Opens the POSIX object `name`, or makes it of `bytes`, with the default options.
///
/// # Errors
/// As [`Options::open_or_create`].
pub fn open_or_create(name: impl AsRef<Path>, bytes: usize) -> Result<Region> {
    Options::new().size_bytes(bytes).open_or_create(name)
}

/// Removes the POSIX object `name`.
///
/// # Errors
/// As [`Options::unlink`].
pub fn unlink(name: impl AsRef<Path>) -> Result<()> {
    Options::new().unlink(name)
}
