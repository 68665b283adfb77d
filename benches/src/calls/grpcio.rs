//! Calls by gRPC from grpcio, in a process of Python that the client starts, to our server and to
//! that of tonic.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, OnceLock,
        mpsc::{self, Sender},
    },
};

use rpc_core::Binding;

use super::{
    Batch, Calls, Flow, Serving, Tally, calls_only, client::whole, echoes::served, grpc::options,
    one_connection, ours::failed, tonic_calls,
};
use crate::{
    family::{Endpoint, Maker},
    meet::Meet,
    results::MakerKind,
    scenario::{Shape, Side},
};

type Connect = fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>;

const SCRIPT: &str = include_str!("grpcio.py");

/// The maker of calls by grpcio to our server: the client alone is others' code.
pub fn to_ours() -> Maker {
    maker("grpcio-client", |side, meet, shape| match side {
        Side::Client => client(meet),
        Side::Server => {
            let (path, options) = (path(meet, "ours"), options(shape));
            let target = format!("unix:{}", path.display());
            serve(meet, &path, move |tally, ready| async move {
                let bound = options.bind(&target).map_err(failed)?;
                // Nobody waits any more where this fails.
                let _ = ready.send(());
                Box::new(bound).serve(served(&tally)).await.map_err(failed)
            })
        }
    })
}

/// The maker of the same calls to tonic's server, beside which ours stands.
pub fn to_tonic() -> Maker {
    maker("grpcio-to-tonic", |side, meet, _| match side {
        Side::Client => client(meet),
        Side::Server => {
            let path = path(meet, "tonic");
            let place = path.clone();
            serve(meet, &path, move |tally, ready| async move {
                let listener = tokio::net::UnixListener::bind(place)?;
                let _ = ready.send(());
                tonic_calls::serve_all(tally, listener).await
            })
        }
    })
}

fn maker(name: &'static str, connect: Connect) -> Maker {
    Maker {
        name,
        kind: MakerKind::Peer,
        probe,
        fits: |shape| {
            one_connection(shape)?;
            calls_only(shape)
        },
        calls: true,
        usual: |_| false,
        ..Maker::raw(connect)
    }
}

/// The Python to be asked: `IPC_PYTHON`, where that is set.
fn python() -> Command {
    Command::new(std::env::var_os("IPC_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn probe() -> Result<(), String> {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let mut asked = python();
        asked.args(["-c", "import grpc"]).stdin(Stdio::null());
        asked.stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    });
    match found {
        true => Ok(()),
        false => Err("this Python has no grpcio; IPC_PYTHON names another".to_owned()),
    }
}

fn client(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    let target = String::from_utf8(meet.recv()?).map_err(io::Error::other)?;
    Ok(Box::new(Client::start(&target)?))
}

/// Where a server of this pair listens: each by a name of its own.
fn path(meet: &Meet, whose: &str) -> PathBuf {
    meet.directory().join(format!("{whose}-{}", meet.tag()))
}

/// Starts the server, and names it to the client once it says that it listens.
fn serve<F, S>(meet: &Meet, path: &Path, server: F) -> io::Result<Box<dyn Endpoint>>
where
    F: FnOnce(Arc<Tally>, Sender<()>) -> S + Send + 'static,
    S: Future<Output = io::Result<()>>,
{
    let (ready, is_ready) = mpsc::channel();
    let mut serving = Serving::run(move |tally| server(tally, ready))?;
    if is_ready.recv().is_err() {
        // It has ended, and says why.
        serving.serve(Flow::Calls, 1)?;
    }
    meet.send(format!("unix:{}", path.display()).as_bytes())?;
    Ok(serving)
}

/// The process of Python, which ends with its standard input.
struct Client {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    answer: Vec<u8>,
}

impl Client {
    fn start(target: &str) -> io::Result<Client> {
        let mut process = python()
            .args(["-c", SCRIPT, target])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = process.stdout.take().map(BufReader::new);
        let mut client = Client {
            orders: process.stdin.take(),
            answers: answers.ok_or(io::ErrorKind::BrokenPipe)?,
            process,
            answer: Vec::new(),
        };
        let mut line = String::new();
        client.answers.read_line(&mut line)?;
        match line.as_str() {
            "ready\n" => Ok(client),
            _ => Err(io::Error::other("grpcio did not connect")),
        }
    }

    /// Has it do something, and waits for what it says.
    fn ask(&mut self, order: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let orders = self.orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        orders.write_all(order.as_bytes())?;
        orders.write_all(bytes)?;
        orders.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.trim_end().split_once(' ') {
            Some(("ok", length)) => {
                let mut answer = vec![0; length.parse().map_err(io::Error::other)?];
                self.answers.read_exact(&mut answer)?;
                Ok(answer)
            }
            _ => Err(io::Error::other(format!("grpcio: {}", line.trim_end()))),
        }
    }

    /// Has it make the calls of a batch; the time of each, where it takes them one by one.
    fn make(&mut self, what: &str, batch: &Batch<'_>, number: u64) -> io::Result<Vec<u64>> {
        let (size, first, messages) = (batch.message.len(), batch.first, batch.messages);
        let order = format!("{what} {size} {first} {messages} {number}\n");
        let packed = self.ask(&order, &[])?;
        let (laps, _) = packed.as_chunks();
        Ok(laps.iter().map(|lap| u64::from_le_bytes(*lap)).collect())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.orders.take());
        // It may hang in a call whose server is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Endpoint for Client {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.answer = self.ask(&format!("echo {}\n", message.len()), message)?;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(&self.answer, into)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl Calls for Client {
    fn one_after_another(&mut self, batch: &Batch<'_>, laps: &mut Vec<u64>) -> io::Result<bool> {
        laps.extend(self.make("one", batch, 0)?);
        Ok(true)
    }

    fn keep_under_way(&mut self, batch: &Batch<'_>, under_way: u32) -> io::Result<()> {
        self.make("many", batch, under_way.into()).map(drop)
    }

    fn stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.make("stream", batch, 0).map(drop)
    }

    fn receive_stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.make("receive", batch, 0).map(drop)
    }

    fn both_streams(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.make("both", batch, 0).map(drop)
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        laps.extend(self.make("rate", batch, every_ns)?);
        Ok(())
    }
}
