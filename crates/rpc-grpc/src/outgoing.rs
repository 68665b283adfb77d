//! The body of a client's request: its messages.

use crate::compression::Encoding;
use crate::framing::Pieces;
use crate::messages::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rpc_core::{PayloadStream, Status};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll};

/// Why the own messages ended too early: the caller hears that, not what the reset stream says.
pub(crate) type Failed = Arc<Failure>;

#[derive(Debug, Default)]
pub(crate) struct Failure(Mutex<Option<Status>>);

impl Failure {
    /// What went wrong here, or else what came of it.
    pub(crate) fn or(&self, status: Status) -> Status {
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        own.unwrap_or(status)
    }
}

/// The body of a client's request.
pub(crate) struct Outgoing(Kind);

enum Kind {
    One(Option<Bytes>),
    Many {
        items: PayloadStream,
        pieces: Pieces,
        failed: Failed,
    },
}

impl Outgoing {
    pub(crate) const fn one(message: Bytes) -> Self {
        Self(Kind::One(Some(message)))
    }

    pub(crate) fn many(
        items: PayloadStream,
        encoding: Encoding,
        limit: usize,
        failed: Failed,
    ) -> Self {
        Self(Kind::Many {
            items,
            pieces: Pieces::new(encoding, limit),
            failed,
        })
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::One(message) => Poll::Ready(message.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Many {
                items,
                pieces,
                failed,
            } => pieces.poll(items, task).map(|piece| match piece {
                Ok(piece) => Some(Ok(Frame::data(piece))),
                Err(Ok(())) => None,
                Err(Err(status)) => {
                    let mut slot = failed.0.lock().unwrap_or_else(PoisonError::into_inner);
                    *slot = Some(status.clone());
                    Some(Err(status.into()))
                }
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::One(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::One(message) => {
                SizeHint::with_exact(message.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Many { .. } => SizeHint::default(),
        }
    }
}
