//! Framed messages against a model: whatever bytes come, in whatever pieces, the receiver says
//! what the model says, and takes memory for what has arrived alone.

use ipc_core::{ByteSource, ErrorKind, Framed};

/// Lengths up to here are messages; above, lies.
pub const LIMIT: usize = 1 << 20;

/// What a receive gives.
#[derive(Debug, PartialEq)]
enum Received {
    Message(Vec<u8>),
    Failed(ErrorKind),
}

/// How the input says that the stream is cut and read, and the stream itself.
pub struct Plan<'a> {
    cuts: [u8; 4],
    buffers: [u8; 4],
    bytes: &'a [u8],
}

impl<'a> Plan<'a> {
    /// From raw input; `None` where it is too short.
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (cuts, rest) = data.split_first_chunk()?;
        let (buffers, bytes) = rest.split_first_chunk()?;
        Some(Self {
            cuts: *cuts,
            buffers: *buffers,
            bytes,
        })
    }

    /// The stream in pieces.
    pub fn pieces(&self) -> Vec<&'a [u8]> {
        let (mut pieces, mut rest) = (Vec::new(), self.bytes);
        for cut in self.cuts {
            let (piece, more) = rest.split_at(rest.len().min(usize::from(cut)));
            pieces.push(piece);
            rest = more;
        }
        pieces.push(rest);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

/// Sends the planned pieces by `send`, receiving between them what is there; ends the stream by
/// `end`; and compares all that was received with the model.
///
/// # Panics
/// Where they differ.
pub fn check<T: ByteSource>(
    plan: &Plan<'_>,
    source: T,
    mut send: impl FnMut(&[u8]),
    end: impl FnOnce(),
) {
    let framed = Framed::with_max_message_bytes(source, LIMIT).expect("a small limit");
    let mut received = Vec::new();
    for piece in plan.pieces() {
        send(piece);
        drain(&framed, plan, &mut received);
    }
    end();
    drain(&framed, plan, &mut received);
    assert_eq!(received, model(plan.bytes));
}

/// Receives until nothing more is there, or until the first failure.
fn drain<T: ByteSource>(framed: &Framed<T>, plan: &Plan<'_>, received: &mut Vec<Received>) {
    if matches!(received.last(), Some(Received::Failed(_))) {
        return;
    }
    let mut whole = Vec::new();
    loop {
        let size = usize::from(plan.buffers[received.len() % plan.buffers.len()]);
        let mut small = vec![0; size];
        let outcome = match framed.try_recv(&mut small) {
            Ok(length) => Received::Message(small[..length].to_vec()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            // It stays, and comes where there is room.
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                framed.try_recv_vec(&mut whole).expect("it is here, whole");
                assert!(whole.len() > size);
                Received::Message(whole.clone())
            }
            Err(error) => {
                // From now on it says so again.
                let again = framed.try_recv(&mut small).expect_err("it has failed");
                assert_eq!(again.kind(), error.kind());
                received.push(Received::Failed(error.kind()));
                return;
            }
        };
        received.push(outcome);
    }
}

fn model(mut bytes: &[u8]) -> Vec<Received> {
    let mut received = Vec::new();
    let failure = loop {
        if bytes.is_empty() {
            break ErrorKind::Closed;
        }
        let Some((length, rest)) = bytes.split_first_chunk() else {
            break ErrorKind::Truncated;
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > LIMIT {
            break ErrorKind::Corrupt;
        }
        let Some((message, rest)) = rest.split_at_checked(length) else {
            break ErrorKind::Truncated;
        };
        received.push(Received::Message(message.to_vec()));
        bytes = rest;
    };
    received.push(Received::Failed(failure));
    received
}
