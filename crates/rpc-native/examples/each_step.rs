//! Prints each step of a call, under the names that textbooks give them, with the bytes.

use ipc_core::{ByteSink, ByteSource, Debt, Interest, Pollable, Until};
use rpc_core::{
    Call, CallFuture, Channel, Context, Peer, Router, Server, Status, block_on, service,
};
use rpc_native::Options;
use rpc_transport::Wire;
use std::os::fd::BorrowedFd;
use std::thread;

#[service(name = "calculator.v1.Calculator")]
trait Calculator {
    /// Adds.
    #[rpc(idempotency = "no_side_effects", deadline = "1s")]
    async fn add(&self, cx: &Context, a: i64, b: i64) -> Result<i64, Status>;
}

struct Adder;

impl Calculator for Adder {
    async fn add(&self, cx: &Context, a: i64, b: i64) -> Result<i64, Status> {
        println!("server  procedure    add({a}, {b}) for {:?}", cx.peer());
        Ok(a.wrapping_add(b))
    }
}

/// A stream that shows what passes.
struct Shown(ipc_uds::Stream);

/// A layer that shows the steps on either side of a binding.
#[derive(Clone)]
struct Steps<C>(C, &'static str, [&'static str; 2]);

impl<C: Channel> Channel for Steps<C> {
    fn call(&self, call: Call) -> CallFuture {
        let Self(inner, side, [before, after]) = self;
        println!(
            "{side}  {before:<12} {}/{}",
            call.method.service, call.method.name
        );
        let (work, side, after) = (inner.call(call), *side, *after);
        Box::pin(async move {
            let outcome = work.await;
            println!("{side}  {after:<12} {outcome:?}");
            outcome
        })
    }
}

struct ServerSteps;

impl tower_layer::Layer<Router> for ServerSteps {
    type Service = Steps<Router>;
    fn layer(&self, inner: Router) -> Self::Service {
        Steps(inner, "server", ["dispatch", "return"])
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("server  register     {} with", CALCULATOR_SERVICE.name());
    for line in CALCULATOR_SERVICE.contract().text().lines() {
        println!("                     {line}");
    }
    let (near, far) = ipc_uds::pair()?;
    let peer = Peer::Unix(far.credentials()?);
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder)));
    let served = served.layer(ServerSteps).served();
    let session = Options::new().session(Wire::new(far, peer), served);
    let server = thread::spawn(move || session.run());

    let wire = Wire::new(Shown(near), Peer::Unknown);
    let connection = Options::new().over_blocking(wire)?;
    println!("client  bind         the greetings are exchanged; the contract follows");
    let calculator = CalculatorClient::new(Steps(connection, "client", ["call", "unmarshal"]));
    let sum = block_on(calculator.add(&Context::new(), 2, 3))?;
    println!("client  result       {sum}");
    drop(calculator);
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// Each frame on a line: kind, call, payload.
fn show(direction: &str, bytes: &[u8]) {
    const KINDS: [&str; 14] = [
        "?", "HELLO", "BIND", "BOUND", "CALL", "MESSAGE", "END", "RETURN", "CANCEL", "CREDIT",
        "PING", "PONG", "DRAIN", "CLOSE",
    ];
    let mut rest = bytes;
    while let Some((header, after)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let payload = &after[..length.min(after.len())];
        let kind = KINDS.get(usize::from(header[4])).unwrap_or(&"?");
        let bytes = 12 + payload.len();
        println!("client  {direction:<12} {kind} of {bytes} bytes");
        for row in [&header[..], payload].concat().chunks(24) {
            let hex: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("                     {}", hex.join(" "));
        }
        rest = &after[payload.len()..];
    }
}

impl Pollable for Shown {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.0.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> ipc_core::Result<()> {
        self.0.wait_ready(interests, until)
    }
}

impl ByteSource for Shown {
    fn read_until(&self, buffer: &mut [u8], until: Until) -> ipc_core::Result<usize> {
        let length = self.0.read_until(buffer, until)?;
        show("receive", &buffer[..length]);
        Ok(length)
    }
}

impl ByteSink for Shown {
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> ipc_core::Result<usize> {
        let written = self.0.write_until(head, body, until)?;
        show("send", &[head, body].concat()[..written]);
        Ok(written)
    }
    fn debt(&self) -> &Debt {
        self.0.debt()
    }
}
