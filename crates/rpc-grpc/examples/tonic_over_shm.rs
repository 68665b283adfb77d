//! A client and a server that tonic generated, unchanged, in two processes: their bytes go through
//! shared memory instead of a socket.

use hyper_util::rt::TokioIo;
use ipc_async::Async;
use rpc_testkit::generated::stock_client::StockClient;
use rpc_testkit::generated::stock_server::StockServer;
use rpc_testkit::generated::{Item, StockListRequest, StockPutRequest};
use rpc_testkit::generated_shop::GeneratedShop;
use std::env;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, ExitCode};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use tonic::transport::{Endpoint, Server};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failure> {
    if let Some(path) = env::args_os().nth(1) {
        call(path.into()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let directory = env::temp_dir().join(format!("tonic-over-shm-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let outcome = serve_one(&directory.join("socket")).await;
    std::fs::remove_dir_all(&directory)?;
    Ok(if outcome? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Serves until the client that it starts is done.
async fn serve_one(path: &Path) -> Result<bool, Failure> {
    let listener = Async::new(ipc_ring::bind(path)?)?;
    let incoming = futures_util::stream::unfold(listener, |listener| async {
        let accepted = match listener.accept().await {
            Ok(channel) => Async::new(channel.stream()).map(Ring),
            Err(error) => Err(error),
        };
        Some((accepted, listener))
    });
    let mut client = Command::new(env::current_exe()?).arg(path).spawn()?;
    let done = tokio::task::spawn_blocking(move || client.wait());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = Server::builder()
        .add_service(StockServer::new(GeneratedShop::default()))
        .serve_with_incoming_shutdown(incoming, async { drop(ended.await) });
    let serving = tokio::spawn(serving);
    let status = done.await??;
    let _ = end.send(());
    serving.await??;
    Ok(status.success())
}

async fn call(path: PathBuf) -> Result<(), Failure> {
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move {
            let channel = tokio::task::spawn_blocking(move || ipc_ring::connect(path)).await??;
            Ok::<_, Failure>(TokioIo::new(Async::new(channel.stream())?))
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let mut stock = StockClient::new(endpoint.connect_with_connector(connector).await?);
    for (sku, count) in [("hammer", 3), ("saw", 1), ("hammer", 2)] {
        let sku = sku.to_owned();
        let item = Some(Item { sku, count });
        stock.put(StockPutRequest { item }).await?;
    }
    let list = stock.list(StockListRequest::default()).await?;
    let mut list = list.into_inner();
    while let Some(item) = list.message().await? {
        println!("{} × {}", item.count, item.sku);
    }
    Ok(())
}

/// The stream as tonic's server wants it: it asks what is known of the connection.
struct Ring(Async<ipc_ring::Stream>);

impl Connected for Ring {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Ring {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(task, buffer)
    }
}

impl AsyncWrite for Ring {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(task, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(task)
    }
    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(task)
    }
}
