//! A server in a process of its own, which ends in order on Ctrl-C: start it, then the example
//! `calculator_client` in another terminal.

use rpc_core::{Code, Context, Router, Server, Status, service};

const HELP: &str = "\
Serves a calculator until Ctrl-C.

usage: calculator_server [BINDING]

  BINDING  where it listens [unix:/tmp/calculator.sock]";

/// The contract, which the client has too.
#[service(name = "calculator.v1.Calculator")]
trait Calculator {
    /// The sum of both, modulo 2^64.
    #[rpc(idempotency = "no_side_effects", deadline = "1s")]
    async fn add(&self, cx: &Context, a: i64, b: i64) -> Result<i64, Status>;
}

struct Adder;

impl Calculator for Adder {
    async fn add(&self, cx: &Context, a: i64, b: i64) -> Result<i64, Status> {
        println!("add({a}, {b}) for {:?}", cx.peer());
        Ok(a.wrapping_add(b))
    }
}

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next();
    let place = place.as_deref().unwrap_or("unix:/tmp/calculator.sock");
    if place.starts_with('-') {
        println!("{HELP}");
        return std::process::ExitCode::from(if place == "--help" { 0 } else { 2 });
    }
    match serve(place) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(status) => {
            eprintln!("{status}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn serve(place: &str) -> Result<(), Status> {
    // Before the first thread starts, since each must leave these signals alone.
    let asked_to_end = ipc_signal::shutdown()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Status::new(Code::Internal, format!("a runtime: {error}")))?;
    runtime.block_on(async {
        let serving = rpc_native::bind(place)?;
        println!("serving at {}; Ctrl-C ends it", serving.endpoint()?);
        let stopper = serving.stopper();
        std::thread::spawn(move || {
            if asked_to_end.wait().is_ok() {
                // What runs is finished, and the name of the socket is removed.
                stopper.stop();
            }
        });
        let server = Server::new(Router::new().service(CalculatorServer::new(Adder)));
        server.with(serving)?.run().await
    })
}
