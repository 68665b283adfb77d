//! The body of a server's response: messages, then how the call ended.

use crate::framing::Pieces;
use crate::messages::BoxError;
use crate::{metadata, status};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use rpc_core::{Code, Metadata, PayloadStream, Status};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;
use tokio::task::AbortHandle;

/// The body of a response of this binding.
#[derive(Debug)]
pub struct Answer(Kind);

#[derive(Debug)]
enum Kind {
    /// The head says all.
    Empty,
    One(Option<Bytes>, HeaderMap),
    Trailers(Option<HeaderMap>),
    Many(Many),
    /// What was translated for a browser.
    #[cfg(feature = "web")]
    Web(tonic::body::Body),
}

impl Answer {
    /// A call that ended before its first message: the head says how.
    pub(crate) fn failed(status: &Status) -> Response<Self> {
        let mut response = head(Kind::Empty);
        status::write(Err(status), response.headers_mut());
        response
    }

    /// A request that is no gRPC call.
    pub(crate) fn refused(code: StatusCode) -> Response<Self> {
        let mut response = Response::new(Self(Kind::Empty));
        *response.status_mut() = code;
        response
    }

    /// What was translated for a browser.
    #[cfg(feature = "web")]
    pub(crate) const fn web(body: tonic::body::Body) -> Self {
        Self(Kind::Web(body))
    }

    /// One message, and success.
    pub(crate) fn one(message: Bytes, trailers: HeaderMap) -> Response<Self> {
        head(Kind::One(Some(message), trailers))
    }

    /// Many messages, until `deadline` at the latest. After success come these trailers, and what
    /// the metadata has learned by then.
    pub(crate) fn many(
        items: PayloadStream,
        pieces: Pieces,
        (trailers, metadata): (HeaderMap, Metadata),
        deadline: Option<Instant>,
    ) -> Response<Self> {
        let items = Arc::new(Items(Mutex::new(Some(items))));
        head(Kind::Many(Many {
            watch: deadline.map(|deadline| watch(Arc::clone(&items), deadline)),
            items,
            pieces,
            trailers,
            metadata,
        }))
    }
}

fn head(kind: Kind) -> Response<Answer> {
    let mut response = Response::new(Answer(kind));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// The items that are still to come; none once their time is over.
struct Items(Mutex<Option<PayloadStream>>);

impl Items {
    fn lock(&self) -> MutexGuard<'_, Option<PayloadStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that takes no items keeps the body from being polled, and so the handler's own clock:
/// this drops the handler all the same.
fn watch(items: Arc<Items>, deadline: Instant) -> AbortHandle {
    let watching = tokio::spawn(async move {
        tokio::time::sleep_until(deadline.into()).await;
        let late = items.lock().take();
        drop(late);
    });
    watching.abort_handle()
}

struct Many {
    items: Arc<Items>,
    watch: Option<AbortHandle>,
    pieces: Pieces,
    trailers: HeaderMap,
    /// What belongs after the items, and is known when they have come.
    metadata: Metadata,
}

impl Many {
    /// The next messages, or how the call ended.
    fn poll(&mut self, task: &mut Task<'_>) -> Poll<Result<Bytes, Result<(), Status>>> {
        match self.items.lock().as_mut() {
            Some(items) => self.pieces.poll(items, task),
            None => Poll::Ready(Err(Err(Status::bare(Code::DeadlineExceeded)))),
        }
    }
}

impl std::fmt::Debug for Many {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Many(..)")
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let kind = &mut self.0;
        match kind {
            Kind::Empty => Poll::Ready(None),
            Kind::One(message, trailers) => {
                let message = message.take().unwrap_or_default();
                let trailers = std::mem::take(trailers);
                *kind = Kind::Trailers(Some(ended(Ok(()), trailers)));
                Poll::Ready(Some(Ok(Frame::data(message))))
            }
            Kind::Trailers(trailers) => {
                let trailers = trailers
                    .take()
                    .map(|trailers| Ok(Frame::trailers(trailers)));
                *kind = Kind::Empty;
                Poll::Ready(trailers)
            }
            #[cfg(feature = "web")]
            Kind::Web(body) => {
                let frame = Pin::new(body).poll_frame(task);
                frame.map(|frame| frame.map(|frame| frame.map_err(BoxError::from)))
            }
            Kind::Many(many) => {
                let frame = match ready!(many.poll(task)) {
                    Ok(message) => Frame::data(message),
                    Err(outcome) => {
                        let mut trailers = std::mem::take(&mut many.trailers);
                        let outcome = outcome.and_then(|()| match many.metadata.after() {
                            Some(after) => metadata::write(after, &mut trailers),
                            None => Ok(()),
                        });
                        *kind = Kind::Empty;
                        Frame::trailers(ended(outcome, trailers))
                    }
                };
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            #[cfg(feature = "web")]
            Kind::Web(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}

fn ended(outcome: Result<(), Status>, mut trailers: HeaderMap) -> HeaderMap {
    status::write(outcome.as_ref().copied(), &mut trailers);
    trailers
}
