//! The first bytes of every region: what it is, so that another program can refuse it.

use crate::{Backing, Options, Protection};
use ipc_core::{Error, ErrorKind, Result};

/// Where the user's bytes begin in an object: on a page of their own, but for small regions.
pub const DATA_OFFSET: usize = 4096;
/// Up to this size a region without a name has its header and the user's bytes on one page, the
/// bytes on a cache line: where it is [memory](Backing::Memory) of one size, and its
/// [protection](Protection) is `ReadWrite` for good.
pub const SMALL_REGION_BYTES: usize = DATA_OFFSET - HEADER_BYTES;
/// Largest region: 1 TiB.
pub const MAX_SIZE_BYTES: usize = 1 << 40;
/// Version of the layout that this crate writes and accepts.
pub const FORMAT_VERSION: u16 = 2;

pub(crate) const HEADER_BYTES: usize = 64;
/// Published last, by one write of its own.
pub(crate) const MAGIC_BYTES: usize = 8;
pub(crate) const MAGIC: [u8; MAGIC_BYTES] = *b"ipc-shm\0";

const BYTE_ORDER: u32 = 0x0102_0304;
const WORD_BYTES: u8 = size_of::<usize>() as u8;
const CHECKED: std::ops::Range<usize> = 0..60;

/// What the header says, checked.
///
/// | bytes | field |
/// |---|---|
/// | 0–7 | magic `ipc-shm\0` |
/// | 8–11 | byte order: 0x01020304 in the writer's |
/// | 12–13 | format version |
/// | 14 | bytes of a word; 0 where the layout does not depend on it |
/// | 15 | zero |
/// | 16–23 | size in bytes, at creation |
/// | 24–31 | size it may grow to |
/// | 32–39 | layout: the hash of the user's layout, 0 where none was said |
/// | 40–47 | detail of the backing: the key of a System V segment, else 0 |
/// | 48–51 | where the user's bytes begin: 64 in small regions, else 4096 |
/// | 52–59 | zero |
/// | 60–63 | CRC-32C of all before it |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) size_bytes: usize,
    pub(crate) max_bytes: usize,
    pub(crate) layout: u64,
    pub(crate) detail: u64,
    /// Where the user's bytes begin.
    pub(crate) start: usize,
    /// The layout does not depend on the word.
    pub(crate) any_word: bool,
}

impl Header {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let size_bytes = options.size_bytes;
        let max_bytes = options.max_bytes.unwrap_or(size_bytes);
        let refuse = |why: &'static str| {
            let object = format!("{size_bytes} bytes, growing to {max_bytes}");
            Err(Error::new("create region", ErrorKind::InvalidInput)
                .on(object)
                .hint(why))
        };
        if size_bytes == 0 {
            return refuse("a region needs at least one byte: say Options::size_bytes");
        }
        if max_bytes < size_bytes {
            return refuse("a region cannot grow to less than it has");
        }
        if max_bytes > MAX_SIZE_BYTES {
            return Err(Error::new("create region", ErrorKind::TooLarge)
                .hint("a region has at most 1 TiB (MAX_SIZE_BYTES)"));
        }
        Ok(Self {
            size_bytes,
            max_bytes,
            layout: options.layout,
            detail: 0,
            start: DATA_OFFSET,
            any_word: options.any_word,
        })
    }

    /// With the user's bytes on its own page where they may stand there. A second page would
    /// cost more than all that a small region's making does beside mapping one.
    pub(crate) fn on_one_page(mut self, options: &Options) -> Self {
        let is_plain = matches!(options.backing, None | Some(Backing::Memory))
            && options.protection == Protection::ReadWrite
            && !options.narrowable;
        if is_plain && !self.is_growable() && self.size_bytes <= SMALL_REGION_BYTES {
            self.start = HEADER_BYTES;
        }
        self
    }

    /// How many bytes an object holds for `size_bytes` of the user's.
    pub(crate) fn total_bytes(&self, backing: Backing, size_bytes: usize) -> Result<usize> {
        backing.whole_pages(self.start + size_bytes)
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(8, &BYTE_ORDER.to_ne_bytes());
        put(12, &FORMAT_VERSION.to_ne_bytes());
        put(14, &[if self.any_word { 0 } else { WORD_BYTES }]);
        put(16, &(self.size_bytes as u64).to_ne_bytes());
        put(24, &(self.max_bytes as u64).to_ne_bytes());
        put(32, &self.layout.to_ne_bytes());
        put(40, &self.detail.to_ne_bytes());
        put(48, &(self.start as u32).to_ne_bytes());
        let sum = crc32c(&bytes[CHECKED]);
        bytes[CHECKED.end..].copy_from_slice(&sum.to_ne_bytes());
        bytes
    }

    /// Checks a copy of a header; `layout` is the one that the reader demands, if any.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES], layout: u64) -> Result<Self> {
        let u64_at = |at: usize| u64::from_ne_bytes(array(bytes, at));
        let refuse = |why: String| Err(Error::new("attach", ErrorKind::Corrupt).hint(why));
        if array::<MAGIC_BYTES>(bytes, 0) != MAGIC {
            return refuse("it does not begin as a region of this toolkit does".into());
        }
        let order = u32::from_ne_bytes(array(bytes, 8));
        if order == BYTE_ORDER.swap_bytes() {
            return refuse("it was made on a host of the other byte order".into());
        }
        if order != BYTE_ORDER {
            return refuse("its byte-order mark is damaged".into());
        }
        let version = u16::from_ne_bytes(array(bytes, 12));
        if version != FORMAT_VERSION {
            return refuse(format!(
                "its format is version {version}, ours is {FORMAT_VERSION}"
            ));
        }
        if bytes[14] != 0 && bytes[14] != WORD_BYTES {
            return refuse(format!(
                "it was made by a program with words of {} bytes, ours have {WORD_BYTES}",
                bytes[14]
            ));
        }
        if u32::from_ne_bytes(array(bytes, CHECKED.end)) != crc32c(&bytes[CHECKED]) {
            return refuse("the checksum of its header is wrong".into());
        }
        let reserved = bytes[15..16].iter().chain(&bytes[52..CHECKED.end]);
        if reserved.copied().any(|byte| byte != 0) {
            return refuse("reserved bytes of its header are not zero".into());
        }
        let size = |at: usize| usize::try_from(u64_at(at)).ok();
        let (Some(size_bytes), Some(max_bytes)) = (size(16), size(24)) else {
            return refuse("its size does not fit this host's words".into());
        };
        if size_bytes == 0 || max_bytes < size_bytes || max_bytes > MAX_SIZE_BYTES {
            return refuse(format!(
                "its sizes make no sense: {size_bytes} bytes, growing to {max_bytes}"
            ));
        }
        let start = u32::from_ne_bytes(array(bytes, 48)) as usize;
        let is_small = max_bytes == size_bytes && size_bytes <= SMALL_REGION_BYTES;
        if start != DATA_OFFSET && !(start == HEADER_BYTES && is_small) {
            return refuse(format!("its bytes cannot begin at {start}"));
        }
        let found = u64_at(32);
        if layout != 0 && layout != found {
            return refuse(format!(
                "its layout is {found:#018x}, this program's is {layout:#018x}"
            ));
        }
        Ok(Self {
            size_bytes,
            max_bytes,
            layout: found,
            detail: u64_at(40),
            start,
            any_word: bytes[14] == 0,
        })
    }

    /// Refuses a header for any word where a layout was expected that depends on it.
    pub(crate) fn expected_by(self, options: &Options) -> Result<Self> {
        if self.any_word && !options.any_word {
            return Err(Error::new("attach", ErrorKind::Corrupt).hint(
                "it is for programs of any word size: say Options::any_word where that is meant",
            ));
        }
        Ok(self)
    }

    pub(crate) const fn is_growable(&self) -> bool {
        self.max_bytes > self.size_bytes
    }
}

fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

/// CRC-32C (Castagnoli). It finds every flip of up to five bits at this length.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, byte| {
        (sum >> 8) ^ CRC_OF_BYTE[usize::from(sum as u8 ^ byte)]
    })
}

const CRC_OF_BYTE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            size_bytes: 5000,
            max_bytes: 9000,
            layout: 0x1234_5678_9abc_def0,
            detail: 7,
            start: DATA_OFFSET,
            any_word: false,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(Header::decode(&header().encode(), 0).unwrap(), header());
    }

    #[test]
    fn a_layout_of_any_word_is_read_by_all() {
        let portable = Header {
            any_word: true,
            ..header()
        };
        assert_eq!(portable.encode()[14], 0);
        assert_eq!(Header::decode(&portable.encode(), 0).unwrap(), portable);
    }

    #[test]
    fn every_flip_of_one_or_two_bits_is_refused() {
        let good = header().encode();
        let bits = HEADER_BYTES * 8;
        for first in 0..bits {
            for second in first..bits {
                let mut bad = good;
                bad[first / 8] ^= 1 << (first % 8);
                if second != first {
                    bad[second / 8] ^= 1 << (second % 8);
                }
                let error = Header::decode(&bad, 0).expect_err("a damaged header");
                assert_eq!(error.kind(), ErrorKind::Corrupt);
            }
        }
    }
}
