//! Cuts the bytes of an HTTP/2 connection into frames, without keeping them.

const HEADER_BYTES: usize = 9;
pub(crate) const WINDOW_UPDATE: u8 = 8;

/// The header of a frame, and the first bytes of its payload where they matter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) length: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

/// Cuts a byte stream into frames without keeping it.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    header: [u8; HEADER_BYTES],
    filled: usize,
    /// How much of the payload is still to come.
    payload: usize,
    /// The first bytes of a window update.
    update: [u8; 4],
    updated: usize,
}

impl Cutter {
    /// Passes `bytes` on; `whole` is called at the end of each frame, with a window update's size.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut whole: impl FnMut(Frame, u32)) {
        while !bytes.is_empty() {
            if self.filled < HEADER_BYTES {
                let take = bytes.len().min(HEADER_BYTES - self.filled);
                self.header[self.filled..self.filled + take].copy_from_slice(&bytes[..take]);
                self.filled += take;
                bytes = &bytes[take..];
                if self.filled < HEADER_BYTES {
                    return;
                }
                self.payload = self.frame().length;
                self.updated = 0;
            }
            let take = bytes.len().min(self.payload);
            let frame = self.frame();
            if frame.kind == WINDOW_UPDATE && self.updated < 4 {
                let copy = take.min(4 - self.updated);
                self.update[self.updated..self.updated + copy].copy_from_slice(&bytes[..copy]);
                self.updated += copy;
            }
            self.payload -= take;
            bytes = &bytes[take..];
            if self.payload == 0 {
                self.filled = 0;
                whole(frame, u32::from_be_bytes(self.update) & 0x7fff_ffff);
            }
        }
    }

    fn frame(&self) -> Frame {
        let [a, b, c, kind, flags, rest @ ..] = self.header;
        Frame {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes(rest) & 0x7fff_ffff,
        }
    }

    pub(crate) const fn between_frames(&self) -> bool {
        self.filled == 0
    }
}
