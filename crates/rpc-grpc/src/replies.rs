//! From an HTTP response to a reply: what a client reads.

use crate::compression::Encoding;
use crate::framing::Cutter;
use crate::messages::{BoxError, Messages};
use crate::{metadata, status};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as HttpBody;
use rpc_core::{
    Body, Code, Later, Metadata, MethodDescriptor, MethodKind, Payload, Protobuf, Reply, Status,
};
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

/// Reads a response to its end, or, where the answer is a stream, to its first item. What is
/// `held` is dropped when nothing more comes.
pub(crate) async fn read<B, G>(
    method: &MethodDescriptor,
    response: Response<B>,
    limit: usize,
    held: G,
) -> Result<Reply, Status>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    G: Send + Unpin + 'static,
{
    let (parts, body) = response.into_parts();
    if parts.status != StatusCode::OK {
        // A proxy may say it in both languages: gRPC's own word is the better one.
        let own = status::read(&parts.headers).and_then(Result::err);
        return Err(own.unwrap_or_else(|| status::of_http(parts.status)));
    }
    if let Some(Err(status)) = status::read(&parts.headers) {
        return Err(status);
    }
    let content = parts.headers.get("content-type");
    if !content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc")) {
        let text = format!("the server answered {content:?}, not gRPC");
        return Err(Status::new(Code::Unknown, text));
    }
    let encoding = Encoding::of_messages(&parts.headers);
    // The server was told what is understood here: its choice of another is its fault.
    let encoding =
        encoding.map_err(|status| Status::new(Code::Internal, status.message().to_owned()))?;
    let mut messages = Messages::new(body, Cutter::new(encoding, limit, BytesMut::new()));
    let mut metadata = metadata::read(&parts.headers)?;
    let head_only = parts.headers.contains_key("grpc-status");
    if method.kind.server_streams() {
        let answers = Answers {
            messages,
            head_only,
            later: Some(metadata.later()),
            held: Some(held),
        };
        let body = Body::Many(Box::pin(answers));
        return Ok(Reply { metadata, body });
    }
    let message = only(method, &mut messages, head_only).await?;
    if let Some(trailers) = messages.trailers() {
        metadata::read_trailing(&mut metadata, trailers)?;
    }
    let body = Body::One(message);
    Ok(Reply { metadata, body })
}

/// The one answer, and success after it.
async fn only<B>(
    method: &MethodDescriptor,
    messages: &mut Messages<B>,
    head_only: bool,
) -> Result<Payload, Status>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let first = messages.message().await?;
    let second = match first {
        Some(_) => messages.message().await?,
        None => None,
    };
    let quiet = method.kind == MethodKind::Oneway;
    if second.is_some() && !quiet {
        let text = "more than one message where one belongs";
        return Err(Status::new(Code::Unimplemented, text));
    }
    let ended = match head_only {
        true => Ok(()),
        false => ended(messages.trailers()),
    };
    match (first, ended) {
        (Some(message), Ok(())) => Ok(message),
        // Its caller hears nothing of it, whatever the server says.
        _ if quiet => Ok(Payload::Encoded(&Protobuf, Bytes::new())),
        (_, Err(status)) => Err(status),
        (None, Ok(())) => Err(Status::new(Code::Unimplemented, "success, and no message")),
    }
}

/// How the call ended, by what came after the messages.
fn ended(trailers: Option<&HeaderMap>) -> Result<(), Status> {
    let unsaid = || {
        Err(Status::new(
            Code::Unknown,
            "the server did not say how it ended",
        ))
    };
    trailers.and_then(status::read).unwrap_or_else(unsaid)
}

/// The items of a stream of answers.
struct Answers<B, G> {
    messages: Messages<B>,
    head_only: bool,
    /// Where it is told what came after them.
    later: Option<Later>,
    held: Option<G>,
}

impl<B, G> Answers<B, G>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// How the call ended; what came along with success is told.
    fn end(&mut self) -> Result<(), Status> {
        let trailers = self.messages.trailers();
        ended(trailers)?;
        let mut after = Metadata::new();
        if let Some(trailers) = trailers {
            metadata::read_trailing(&mut after, trailers)?;
        }
        if let Some(later) = self.later.take() {
            later.set(after);
        }
        Ok(())
    }
}

impl<B, G: Unpin> Stream for Answers<B, G>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        if self.held.is_none() {
            return Poll::Ready(None);
        }
        let next = match ready!(self.messages.poll_message(task)) {
            Ok(Some(message)) => Some(Ok(message)),
            Ok(None) if self.head_only => None,
            Ok(None) => self.end().err().map(Err),
            Err(status) => Some(Err(status)),
        };
        if !matches!(next, Some(Ok(_))) {
            self.held = None;
        }
        Poll::Ready(next)
    }
}
