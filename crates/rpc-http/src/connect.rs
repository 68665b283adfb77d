//! The client's side of one HTTP/2 connection.

use crate::Limits;
use crate::stream::WireStream;
use http_body::Body;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rpc_core::{Code, Status};
use rpc_transport::Wire;
use std::error::Error as StdError;

/// Speaks HTTP/2 on `wire`: what sends requests. A task carries them, and ends when it and its
/// clones are dropped and nothing runs any more.
///
/// # Errors
/// [`Unavailable`](Code::Unavailable) where the connection ends in the greeting.
pub async fn connect<B>(wire: Wire, limits: &Limits) -> Result<SendRequest<B>, Status>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let stream = WireStream::client(wire, limits.clone()).map_err(Status::from)?;
    let greeting = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_list_bytes())
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_send_buf_size(limits.max_output_bytes)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_answer)
        .handshake(stream)
        .await;
    let (sender, connection) = greeting.map_err(|error| {
        Status::new(Code::Unavailable, format!("no HTTP/2: {error}")).before_running()
    })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
    Ok(sender)
}
