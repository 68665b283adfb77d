//! An axum server and a hyper client, unchanged, in two processes: their bytes go through shared
//! memory instead of a socket.

use axum::extract::Path as Segment;
use axum::serve::Listener;
use axum::{Router, routing::get};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use ipc_async::Async;
use ipc_core::Credentials;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failure> {
    if let Some(path) = env::args_os().nth(1) {
        ask(path.into()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let directory = env::temp_dir().join(format!("axum-over-shm-{}", std::process::id()));
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
    let rings = Rings(Async::new(ipc_ring::bind(path)?)?);
    let greet = |Segment(name): Segment<String>| async move { format!("hello, {name}") };
    let app = Router::new().route("/greet/{name}", get(greet));
    let mut client = Command::new(env::current_exe()?).arg(path).spawn()?;
    let done = tokio::task::spawn_blocking(move || client.wait());
    tokio::select! {
        ended = axum::serve(rings, app).into_future() => Err(format!("the server ended: {ended:?}").into()),
        status = done => Ok(status??.success()),
    }
}

async fn ask(path: PathBuf) -> Result<(), Failure> {
    let channel = tokio::task::spawn_blocking(move || ipc_ring::connect(path)).await??;
    let stream = TokioIo::new(Async::new(channel.stream())?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let driving = tokio::spawn(connection);
    for name in ["axum", "hyper"] {
        let request = hyper::Request::get(format!("/greet/{name}"))
            .header("host", "localhost")
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("{status}: {}", String::from_utf8_lossy(&body));
    }
    drop(sender);
    driving.await??;
    Ok(())
}

/// Where processes come to make rings.
struct Rings(Async<ipc_ring::Listener>);

impl Listener for Rings {
    type Io = Async<ipc_ring::Stream>;
    /// Who comes, as the kernel has it.
    type Addr = Option<Credentials>;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok(channel) => {
                    let peer = channel.credentials().ok();
                    if let Ok(stream) = Async::new(channel.stream()) {
                        return (stream, peer);
                    }
                }
                // One that did not do its part is no failure of the listener.
                Err(error) => eprintln!("left out: {error}"),
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(None)
    }
}
