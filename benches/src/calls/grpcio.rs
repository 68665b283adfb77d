//! Calls to our server by gRPC from grpcio, in a process of Python that the client starts.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

use rpc_core::Binding;

use super::{
    Batch, Calls, Serving, calls_only, client::whole, echoes::served, grpc::options, ours::failed,
};
use crate::{
    family::{Endpoint, Maker},
    meet::Meet,
    results::MakerKind,
    scenario::{Shape, Side},
};

const SCRIPT: &str = include_str!("grpcio.py");

/// The maker of calls by grpcio: the client alone is others' code.
pub fn maker() -> Maker {
    Maker {
        name: "grpcio-client",
        kind: MakerKind::Peer,
        probe,
        fits: |shape| {
            if shape.scenario.connections() > 1 {
                return Err("its client has one connection here".to_owned());
            }
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

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    match side {
        Side::Client => {
            let target = String::from_utf8(meet.recv()?).map_err(io::Error::other)?;
            Ok(Box::new(Client::start(&target)?))
        }
        Side::Server => {
            let name = format!("grpcio-{}", meet.tag());
            let target = format!("unix:{}", meet.directory().join(name).display());
            let (options, place) = (options(shape), target.clone());
            let (ready, is_ready) = std::sync::mpsc::channel();
            let serving = Serving::run(move |tally| async move {
                let bound = options.bind(&place).map_err(failed)?;
                // Nobody waits any more where this fails.
                let _ = ready.send(());
                Box::new(bound).serve(served(&tally)).await.map_err(failed)
            })?;
            is_ready.recv().map_err(io::Error::other)?;
            meet.send(target.as_bytes())?;
            Ok(serving)
        }
    }
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
