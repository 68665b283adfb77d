#![doc = include_str!("../README.md")]

mod anonymous;
mod attach;
mod backing;
mod copy;
mod file;
mod header;
mod layout;
mod options;
mod protection;
mod region;
mod sys;
mod typed;

pub use crate::{
    backing::Backing,
    header::{DATA_OFFSET, FORMAT_VERSION, MAX_SIZE_BYTES},
    layout::layout_hash,
    options::Options,
    protection::Protection,
    region::{Advice, Region},
};
pub use ipc_core::{Error, ErrorKind, Result};

/// Makes a region of `bytes` in sealed memory without a name, with the default options.
///
/// # Errors
/// As [`Options::anonymous`].
pub fn anonymous(bytes: usize) -> Result<Region> {
    Options::new().size_bytes(bytes).anonymous()
}
