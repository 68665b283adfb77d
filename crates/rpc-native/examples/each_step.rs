//! Prints each step of a call, under the names that textbooks give them, with the bytes.

use bytes::BytesMut;
use ipc_core::{ByteSink, ByteSource, Debt, Interest, Pollable, Until};
use rpc_core::{
    Body, Call, CallFuture, Channel, Context, Peer, Protobuf, Router, Server, Status, block_on,
    service,
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
        println!("server  unmarshal    a = {a}, b = {b}");
        println!("server  procedure    add({a}, {b}) for {:?}", cx.peer());
        Ok(a.wrapping_add(b))
    }
}

/// A stream that shows what passes.
struct Shown(ipc_uds::Stream);

/// A layer that shows the steps on either side of a binding: what comes to it, and what goes back.
#[derive(Clone)]
struct Steps<C> {
    inner: C,
    side: &'static str,
    /// What the message of a call is called there, and that of its answer.
    words: [&'static str; 2],
}

impl<C: Channel> Channel for Steps<C> {
    fn call(&self, call: Call) -> CallFuture {
        let (side, [came, goes]) = (self.side, self.words);
        let step = if side == "client" { "call" } else { "dispatch" };
        let name = format!("{}/{}", call.method.service, call.method.name);
        if side == "client" {
            println!("{side}  {step:<12} {name}");
            println!("{side}  {came:<12} {}", message(&call.body));
        } else {
            println!("{side}  {came:<12} {}", message(&call.body));
            println!("{side}  {step:<12} {name}");
        }
        let work = self.inner.call(call);
        Box::pin(async move {
            let outcome = work.await;
            match &outcome {
                Ok(reply) => println!("{side}  {goes:<12} {}", message(&reply.body)),
                Err(status) => println!("{side}  {goes:<12} {status}"),
            }
            outcome
        })
    }
}

/// The bytes of a message, as it is written on this wire.
fn message(body: &Body) -> String {
    let Body::One(payload) = body else {
        return "a stream".into();
    };
    let mut bytes = BytesMut::new();
    match payload.append(&Protobuf, &mut bytes) {
        Ok(()) => format!("{} in protobuf", hex(&bytes)),
        Err(status) => status.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(" ")
}

struct ServerSteps;

impl tower_layer::Layer<Router> for ServerSteps {
    type Service = Steps<Router>;
    fn layer(&self, inner: Router) -> Self::Service {
        Steps {
            inner,
            side: "server",
            words: ["receive", "return"],
        }
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
    println!("client  bind         both have greeted; the service is named before its first call");
    let calculator = CalculatorClient::new(Steps {
        inner: connection,
        side: "client",
        words: ["marshal", "unmarshal"],
    });
    let sum = block_on(calculator.add(&Context::new(), 2, 3))?;
    println!("client  return       {sum}");
    drop(calculator);
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// Each frame: what it is, its header and its payload.
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
        let call = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let of = if call > 0 {
            format!(" of call {call}")
        } else {
            String::new()
        };
        println!(
            "client  {direction:<12} {kind}{of}, flags {:02x}, {length} bytes",
            header[5]
        );
        println!("                     header   {}", hex(header));
        for (number, row) in payload.chunks(16).enumerate() {
            let title = if number == 0 { "payload" } else { "" };
            println!("                     {title:<8} {}", hex(row));
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
        // Before it goes: the server may be faster than this line. So little goes out whole.
        show("send", &[head, body].concat());
        self.0.write_until(head, body, until)
    }
    fn debt(&self) -> &Debt {
        self.0.debt()
    }
}
