//! The TLS engine between sealed bytes and plain ones, without input or output.

use super::failure::failure;
use super::identity::Identity;
use ipc_core::{Error, ErrorKind, Result};
use rustls::Connection;
use std::io::{self, IoSlice, Read, Write};

/// Sealed bytes are received in steps of at most this many.
const ROOM_BYTES: usize = 64 * 1024;

/// Sealed bytes that have come and were not opened yet.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    ended: bool,
}

impl Sealed {
    /// Room for more. It is asked for when all that came before is in the engine.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.filled {
            (self.start, self.filled) = (0, 0);
        }
        if self.buffer.is_empty() {
            self.buffer.resize(ROOM_BYTES, 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// `count` bytes have come into [`room`](Sealed::room); none is the end.
    pub(crate) fn filled(&mut self, count: usize) {
        self.filled += count;
        self.ended |= count == 0;
    }

    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    fn is_empty(&self) -> bool {
        self.start == self.filled
    }
}

/// What an opening has brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// This many plain bytes.
    Bytes(usize),
    /// The end, as the peer meant it.
    End,
    /// Nothing before more sealed bytes come.
    Nothing,
}

/// One side of a TLS connection.
pub(crate) struct Session {
    connection: Connection,
    /// Sealed bytes that are to go out.
    pub(crate) outgoing: Vec<u8>,
    /// Plain bytes in the engine that were not handed out yet.
    plain: usize,
    eof_told: bool,
    /// Why it is of no use any more.
    failure: Option<(ErrorKind, String)>,
}

impl Session {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            outgoing: Vec::new(),
            plain: 0,
            eof_told: false,
            failure: None,
        }
    }

    /// The error of a session that has failed.
    pub(crate) fn check(&self, operation: &'static str) -> Result<()> {
        match &self.failure {
            None => Ok(()),
            Some((kind, hint)) => Err(Error::new(operation, *kind).hint(hint.clone())),
        }
    }

    /// Ends the use of this session, but for what was opened before.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.failure = Some((error.kind(), error.to_string()));
        error
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    pub(crate) fn protocol(&self) -> Option<Vec<u8>> {
        self.connection.alpn_protocol().map(<[u8]>::to_vec)
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        Identity::of(self.connection.peer_certificates()?.first()?)
    }

    /// Whether opening would give something without more sealed bytes.
    pub(crate) fn holds_more(&self, sealed: &Sealed) -> bool {
        self.failure.is_some() || self.plain > 0 || !sealed.is_empty()
    }

    /// Seals of `head` and `body` what one step takes; returns how many bytes.
    pub(crate) fn seal(&mut self, head: &[u8], body: &[u8]) -> Result<usize> {
        let slices = [IoSlice::new(head), IoSlice::new(body)];
        self.connection
            .writer()
            .write_vectored(&slices)
            .map_err(|error| Error::new("send", ErrorKind::Other).caused_by(error))
    }

    /// Says that nothing more will be sent.
    pub(crate) fn seal_end(&mut self) {
        self.connection.send_close_notify();
    }

    /// Moves what the engine wants to go out to `outgoing`.
    pub(crate) fn collect(&mut self) {
        while self.connection.wants_write() {
            // A vector takes everything.
            if self.connection.write_tls(&mut self.outgoing).is_err() {
                return;
            }
        }
    }

    /// Hands out plain bytes, opening what is in `sealed` as far as needed.
    pub(crate) fn open(&mut self, buffer: &mut [u8], sealed: &mut Sealed) -> Result<Opened> {
        loop {
            // What came whole before a failure was sealed by the peer, and is handed out first.
            match self.connection.reader().read(buffer) {
                Ok(0) => return Ok(Opened::End),
                Ok(length) => {
                    self.plain = self.plain.saturating_sub(length);
                    return Ok(Opened::Bytes(length));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(self.fail(cut_off())),
            }
            self.check("recv")?;
            match self.feed("recv", sealed) {
                Ok(true) => {}
                Ok(false) => return Ok(Opened::Nothing),
                // Kept for the next turn of this loop, or the next receive.
                Err(_) => self.plain = 0,
            }
        }
    }

    /// Gives the engine some of `sealed`, or its end; false where there was nothing to give.
    pub(crate) fn feed(&mut self, operation: &'static str, sealed: &mut Sealed) -> Result<bool> {
        let mut bytes = &sealed.buffer[sealed.start..sealed.filled];
        if bytes.is_empty() {
            if !sealed.ended || self.eof_told {
                return Ok(false);
            }
            self.eof_told = true;
        }
        match self.connection.read_tls(&mut bytes) {
            Ok(length) => sealed.start += length,
            Err(error) => {
                let error = Error::new(operation, ErrorKind::Corrupt)
                    .hint(format!("the engine takes no more: {error}"));
                return Err(self.fail(error));
            }
        }
        match self.connection.process_new_packets() {
            Ok(state) => self.plain = state.plaintext_bytes_to_read(),
            Err(error) => return Err(self.fail(failure(operation, error))),
        }
        Ok(true)
    }
}

#[cold]
fn cut_off() -> Error {
    Error::new("recv", ErrorKind::Truncated).hint(
        "the connection was cut off: the peer never said that it had ended, and more may have \
         been meant to come",
    )
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("handshaking", &self.is_handshaking())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
