//! The first bytes of a log: who it is, twice, and how far it is known to be durable.

use crate::vfs::{VfsFile, read_full, write_all};
use ipc_core::{Error, ErrorKind, Result};
use std::io;

/// Where the first record stands.
pub(crate) const RECORDS_AT: u64 = 96;
const STATE_AT: u64 = 64;
const MAGIC: [u8; 8] = *b"ipc-log\n";
const VERSION: u32 = 1;
/// As the bytes 04 03 02 01: what a program of another byte order would not read.
const BYTE_ORDER: u32 = 0x0102_0304;
const BLOCK_BYTES: usize = 32;

/// What stands at the beginning of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A log of this identity; `whole` where both copies of the header say so.
    Log { id: u64, whole: bool },
    /// Its maker did not come so far: nothing was ever appended.
    Unfinished,
}

/// Reads and checks the header.
pub(crate) fn read(file: &dyn VfsFile) -> Result<Found> {
    let mut bytes = [0; 2 * BLOCK_BYTES];
    let length = read_full(file, &mut bytes, 0).map_err(|error| wrap(&error))?;
    let copies = bytes.split_at(BLOCK_BYTES);
    match (parse(copies.0), parse(copies.1)) {
        (Some(first), second) => {
            let (id, whole) = (check(first)?, second == Some(first));
            Ok(Found::Log { id, whole })
        }
        (None, Some(second)) => Ok(Found::Log {
            id: check(second)?,
            whole: false,
        }),
        // The header is written in one go and made durable before anything is appended.
        (None, None) if begun(&bytes[..length]) || all_zero(file)? => Ok(Found::Unfinished),
        (None, None) => Err(Error::new("open log", ErrorKind::Corrupt)
            .hint("this is no log, or both copies of its header are damaged")),
    }
}

/// Whether this is all there is, and the beginning of a header: never what a stranger's file has.
fn begun(bytes: &[u8]) -> bool {
    bytes.len() < 2 * BLOCK_BYTES && MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())])
}

fn all_zero(file: &dyn VfsFile) -> Result<bool> {
    let mut bytes = [0; 4096];
    let mut at = 0;
    loop {
        let length = read_full(file, &mut bytes, at).map_err(|error| wrap(&error))?;
        if length == 0 {
            return Ok(true);
        }
        if bytes[..length].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += length as u64;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Block {
    version: u32,
    byte_order: u32,
    id: u64,
}

fn parse(bytes: &[u8]) -> Option<Block> {
    let word = |at: usize| {
        let word = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(word))
    };
    let sound = bytes.starts_with(&MAGIC) && word(28)? == crc32c::crc32c(&bytes[..28]);
    sound.then_some(Block {
        version: word(8)?,
        byte_order: word(12)?,
        id: u64::from(word(16)?) | u64::from(word(20)?) << 32,
    })
}

fn check(block: Block) -> Result<u64> {
    let refuse = |why: String| Err(Error::new("open log", ErrorKind::Corrupt).hint(why));
    if block.byte_order != BYTE_ORDER {
        return refuse("it was written in another byte order".into());
    }
    if block.version != VERSION {
        return refuse(format!(
            "it is of version {}, and this program knows version {VERSION}",
            block.version
        ));
    }
    Ok(block.id)
}

/// Writes both copies of the header.
pub(crate) fn write(file: &dyn VfsFile, id: u64) -> io::Result<()> {
    let mut block = [0; BLOCK_BYTES];
    block[..8].copy_from_slice(&MAGIC);
    block[8..12].copy_from_slice(&VERSION.to_le_bytes());
    block[12..16].copy_from_slice(&BYTE_ORDER.to_le_bytes());
    block[16..24].copy_from_slice(&id.to_le_bytes());
    let checksum = crc32c::crc32c(&block[..28]);
    block[28..].copy_from_slice(&checksum.to_le_bytes());
    write_all(file, &[block, block].concat(), 0)
}

/// What the processes that share a log tell each other, and the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// All before this offset is durable, and ends with a whole record.
    pub(crate) synced: u64,
    /// Making it durable has failed: nobody appends until it is opened anew by all.
    pub(crate) failed: bool,
}

impl State {
    /// Reads it; `None` where it is damaged.
    pub(crate) fn read(file: &dyn VfsFile, id: u64) -> io::Result<Option<Self>> {
        let mut bytes = [0; BLOCK_BYTES];
        let length = read_full(file, &mut bytes, STATE_AT)?;
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        let sound = length == BLOCK_BYTES && word(28) == checksum(&bytes, id);
        Ok(sound.then(|| Self {
            synced: u64::from(word(0)) | u64::from(word(4)) << 32,
            failed: word(8) != 0,
        }))
    }

    /// Writes it: within one sector, so that a power loss leaves the old one or the new.
    pub(crate) fn write(self, file: &dyn VfsFile, id: u64) -> io::Result<()> {
        let mut bytes = [0; BLOCK_BYTES];
        bytes[..8].copy_from_slice(&self.synced.to_le_bytes());
        bytes[8..12].copy_from_slice(&u32::from(self.failed).to_le_bytes());
        let sum = checksum(&bytes, id);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        write_all(file, &bytes, STATE_AT)
    }
}

fn checksum(bytes: &[u8; BLOCK_BYTES], id: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&id.to_le_bytes()), &bytes[..28])
}

fn wrap(error: &io::Error) -> Error {
    crate::vfs::failed("open log", std::path::Path::new(""), error)
}
