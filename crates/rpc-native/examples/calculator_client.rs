//! A client without a runtime, for the server of the example `calculator_server`.

use rpc_core::{Context, Status, block_on, service};
use std::process::ExitCode;

const HELP: &str = "\
Adds two numbers in another process.

usage: calculator_client [A B [BINDING]]

  A B      what is added [2 3]
  BINDING  where the server listens [unix:/tmp/calculator.sock]";

/// The contract, which the server has too.
#[service(name = "calculator.v1.Calculator")]
trait Calculator {
    /// The sum of both, modulo 2^64.
    #[rpc(idempotency = "no_side_effects", deadline = "1s")]
    async fn add(&self, cx: &Context, a: i64, b: i64) -> Result<i64, Status>;
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: i64| arguments.get(at).map_or(Ok(default), |a| a.parse());
    let (Ok(a), Ok(b), ..=3) = (number(0, 2), number(1, 3), arguments.len()) else {
        println!("{HELP}");
        let asked = arguments.iter().any(|argument| argument == "--help");
        return ExitCode::from(if asked { 0 } else { 2 });
    };
    let place = arguments.get(2).map_or("unix:/tmp/calculator.sock", |a| a);
    match add(place, a, b) {
        Ok(sum) => {
            println!("{a} + {b} = {sum}");
            ExitCode::SUCCESS
        }
        Err(status) => {
            eprintln!("{status}");
            ExitCode::FAILURE
        }
    }
}

fn add(place: &str, a: i64, b: i64) -> Result<i64, Status> {
    let calculator = CalculatorClient::new(rpc_native::connect_blocking(place)?);
    block_on(calculator.add(&Context::new(), a, b))
}
