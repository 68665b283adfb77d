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

/// A log that is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which log it is.
    pub(crate) id: u64,
    /// Whether both copies of the header say so.
    pub(crate) whole: bool,
}

/// Reads and checks the header. A log gets its name when its header is durable, so that what has
/// none is no log.
pub(crate) fn read(file: &dyn VfsFile) -> Result<Found> {
    let mut bytes = [0; 2 * BLOCK_BYTES];
    read_full(file, &mut bytes, 0).map_err(|error| wrap(&error))?;
    let copies = bytes.split_at(BLOCK_BYTES);
    let (first, second) = (parse(copies.0), parse(copies.1));
    let Some(block) = first.or(second) else {
        return Err(Error::new("open log", ErrorKind::Corrupt)
            .hint("this is no log, or both copies of its header are damaged"));
    };
    Ok(Found {
        id: check(block)?,
        whole: first == second,
    })
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

/// The bytes of a log that has no record yet.
pub(crate) fn fresh(id: u64) -> Vec<u8> {
    let state = State {
        synced: RECORDS_AT,
        failed: false,
    };
    [block(id), block(id), state.bytes(id)].concat()
}

/// Writes both copies of the header.
pub(crate) fn write(file: &dyn VfsFile, id: u64) -> io::Result<()> {
    write_all(file, &[block(id), block(id)].concat(), 0)
}

fn block(id: u64) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    block[..8].copy_from_slice(&MAGIC);
    block[8..12].copy_from_slice(&VERSION.to_le_bytes());
    block[12..16].copy_from_slice(&BYTE_ORDER.to_le_bytes());
    block[16..24].copy_from_slice(&id.to_le_bytes());
    let checksum = crc32c::crc32c(&block[..28]);
    block[28..].copy_from_slice(&checksum.to_le_bytes());
    block
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
        write_all(file, &self.bytes(id), STATE_AT)
    }

    fn bytes(self, id: u64) -> [u8; BLOCK_BYTES] {
        let mut bytes = [0; BLOCK_BYTES];
        bytes[..8].copy_from_slice(&self.synced.to_le_bytes());
        bytes[8..12].copy_from_slice(&u32::from(self.failed).to_le_bytes());
        let sum = checksum(&bytes, id);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }
}

fn checksum(bytes: &[u8; BLOCK_BYTES], id: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&id.to_le_bytes()), &bytes[..28])
}

fn wrap(error: &io::Error) -> Error {
    crate::vfs::failed("open log", std::path::Path::new(""), error)
}
