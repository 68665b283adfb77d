//! The messages of an HTTP body, whole and unpacked, and the trailers after them.

use crate::framing::Cutter;
use crate::status;
use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use http_body::Body;
use rpc_core::{Code, Payload, Status};
use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

/// What a body's failure is.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// The messages of a body.
pub(crate) struct Messages<B> {
    body: Pin<Box<B>>,
    cutter: Cutter,
    ended: bool,
    trailers: Option<HeaderMap>,
}

impl<B> Messages<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(body: B, cutter: Cutter) -> Self {
        Self {
            body: Box::pin(body),
            cutter,
            ended: false,
            trailers: None,
        }
    }

    /// The next message; `None` at the end, when the trailers are there.
    pub(crate) fn poll_message(
        &mut self,
        task: &mut Task<'_>,
    ) -> Poll<Result<Option<Payload>, Status>> {
        loop {
            if let Some(message) = self.cutter.next()? {
                return Poll::Ready(Ok(Some(message)));
            }
            if self.ended {
                return Poll::Ready(match self.cutter.is_empty() {
                    true => Ok(None),
                    false => {
                        let text = "the stream ended inside a message";
                        Err(Status::new(Code::Internal, text))
                    }
                });
            }
            match ready!(self.body.as_mut().poll_frame(task)) {
                None => self.ended = true,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.cutter.push(data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Err(status::of_error(&*error.into())));
                }
            }
        }
    }

    pub(crate) async fn message(&mut self) -> Result<Option<Payload>, Status> {
        poll_fn(|task| self.poll_message(task)).await
    }

    /// The one message that a body must have.
    pub(crate) async fn only(&mut self) -> Result<Payload, Status> {
        let wrong = |text| Err(Status::new(Code::Unimplemented, text));
        let Some(message) = self.message().await? else {
            return wrong("no message where one belongs");
        };
        match self.message().await? {
            None => Ok(message),
            Some(_) => wrong("more than one message where one belongs"),
        }
    }

    /// What came after the messages.
    pub(crate) const fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }
}

/// The messages of a request, as a handler takes them.
pub(crate) struct Items<B>(pub(crate) Messages<B>);

impl<B> Stream for Items<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let message = self.0.poll_message(task);
        message.map(Result::transpose)
    }
}
