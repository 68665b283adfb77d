//! Serves HTTP on one connection, both versions, until its peer or its server ends it.

use crate::Limits;
use crate::stream::WireStream;
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::{Builder, HttpServerConnExec};
use ipc_core::Result;
use rpc_transport::{Stopped, Wire};
use std::error::Error as StdError;
use std::pin::pin;

/// Serves HTTP/1 and HTTP/2 on `wire` by `service`, until the peer goes, or until the server is
/// `stopped` and what runs has ended, within the drain time.
///
/// # Errors
/// Where the connection cannot be awaited. What a peer does wrong ends its connection and is told
/// to nobody but the log.
pub async fn serve<S, B>(
    wire: Wire,
    limits: &Limits,
    service: S,
    mut stopped: Stopped,
) -> Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
    TokioExecutor: HttpServerConnExec<S::Future, B>,
{
    let stream = WireStream::server(wire, limits.clone())?;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.greeting)
        .max_buf_size((limits.max_header_bytes as usize).max(8 << 10))
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        // As many as may be under way can be given up at once: deadlines are alike. What is more
        // is none of a client that keeps to the limit.
        .max_pending_accept_reset_streams(limits.max_streams as usize)
        .max_header_list_size(limits.header_list_bytes())
        .initial_stream_window_size(limits.stream_window_bytes)
        .initial_connection_window_size(limits.connection_window_bytes)
        .max_send_buf_size(limits.max_output_bytes)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_answer);
    let mut connection = pin!(builder.serve_connection(stream, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stopped.wait() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.drain, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    tracing::debug!("requests were cut off at the end of the drain time");
                    return Ok(());
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended badly");
    }
    Ok(())
}
