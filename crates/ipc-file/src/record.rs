//! How a record stands in a log: sixteen bytes of header, the payload, zeros up to the next
//! multiple of sixteen.
//!
//! The checksum of the header covers the identity of the log and the place of the record, so that
//! a record that stands inside another one's payload, or in the wrong place, is none.

/// Records begin and end at multiples of this.
pub(crate) const ALIGN_BYTES: u64 = 16;
/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 16;
/// The first word of a header.
const MAGIC: u32 = 0x3164_6372;

/// A header whose own checksum is right: what it says of the payload can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) payload_bytes: u32,
    payload_checksum: u32,
}

impl Header {
    /// Reads the header at `offset` of the log `id`; `None` where there is no whole one.
    pub(crate) fn parse(id: u64, offset: u64, bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let word = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(word))
        };
        let header = Self {
            payload_bytes: word(4)?,
            payload_checksum: word(8)?,
        };
        (word(0)? == MAGIC && word(12)? == header.checksum(id, offset)).then_some(header)
    }

    /// Bytes of the payload and of the zeros behind it.
    pub(crate) fn padded_bytes(self) -> u64 {
        u64::from(self.payload_bytes).next_multiple_of(ALIGN_BYTES)
    }

    /// Whether `padded` is the payload with its zeros.
    pub(crate) fn fits(self, padded: &[u8]) -> bool {
        crc32c::crc32c(padded) == self.payload_checksum
    }

    fn checksum(self, id: u64, offset: u64) -> u32 {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&id.to_le_bytes());
        bytes[8..16].copy_from_slice(&offset.to_le_bytes());
        bytes[16..20].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[24..].copy_from_slice(&self.payload_checksum.to_le_bytes());
        crc32c::crc32c(&bytes)
    }
}

/// Appends a record to `batch`; its header lacks what depends on its place (see [`place`]).
///
/// The caller has checked that the payload has at most `u32::MAX` bytes.
pub(crate) fn encode(payload: &[u8], batch: &mut Vec<u8>) {
    let start = batch.len();
    batch.extend_from_slice(&MAGIC.to_le_bytes());
    batch.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    batch.extend_from_slice(&[0; 8]);
    batch.extend_from_slice(payload);
    batch.resize(batch.len().next_multiple_of(ALIGN_BYTES as usize), 0);
    let checksum = crc32c::crc32c(&batch[start + HEADER_BYTES..]);
    batch[start + 8..start + 12].copy_from_slice(&checksum.to_le_bytes());
}

/// Finishes the headers of all records in `batch`, which will stand at `base` of the log `id`.
pub(crate) fn place(batch: &mut [u8], id: u64, base: u64) {
    let mut at = 0;
    while at < batch.len() {
        let word = |from: usize| {
            let word = batch[from..from + 4].try_into().expect("four bytes");
            u32::from_le_bytes(word)
        };
        let header = Header {
            payload_bytes: word(at + 4),
            payload_checksum: word(at + 8),
        };
        let checksum = header.checksum(id, base + at as u64);
        batch[at + 12..at + 16].copy_from_slice(&checksum.to_le_bytes());
        at += HEADER_BYTES + header.padded_bytes() as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_only_in_its_own_place_and_log() {
        let mut batch = Vec::new();
        encode(b"first", &mut batch);
        encode(b"", &mut batch);
        place(&mut batch, 7, 96);
        let first = Header::parse(7, 96, &batch).expect("a header");
        assert_eq!(first.payload_bytes, 5);
        assert!(first.fits(&batch[16..32]));
        assert!(Header::parse(7, 128, &batch[32..]).is_some());
        assert_eq!(Header::parse(7, 112, &batch), None);
        assert_eq!(Header::parse(8, 96, &batch), None);
    }
}
