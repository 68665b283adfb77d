//! Client and server of gRPC's interoperation cases, on rpc-grpc and on plain tonic: what
//! `cargo xtask interop grpc` starts beside programs in other languages.
//!
//! A server says `listening PORT`, before it what it cannot do, and ends with its standard input.
//! A client says one line a case: its name, `ok`, `part`, `n/a` or `failed`, and why.

mod arguments;
mod compression;
mod observed;
mod our_cases;
mod our_compressed;
mod our_server;
mod our_streams;
mod outcome;
mod tonic_cases;
mod tonic_echo;
mod tonic_server;
mod tonic_streams;
mod witness;

use crate::arguments::{Arguments, Role, Stack};
use std::process::ExitCode;
use std::time::Duration;

/// A case that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("error: {wrong}\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let ended = match (arguments.role, arguments.stack) {
        (Role::Certificates, _) => {
            rpc_testkit::identities::write_into(&arguments.certificates);
            Ok(())
        }
        (Role::Server, Stack::Ours) => our_server::serve(&arguments).await,
        (Role::Server, Stack::Tonic) => tonic_server::serve(&arguments).await,
        (Role::Client, _) => {
            client(&arguments).await;
            Ok(())
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn client(arguments: &Arguments) {
    for case in &arguments.cases {
        let work = async {
            match arguments.stack {
                Stack::Ours => our_cases::run(case, arguments).await,
                Stack::Tonic => tonic_cases::run(case, arguments).await,
            }
        };
        let verdict = tokio::time::timeout(PATIENCE, work).await;
        let verdict = verdict.unwrap_or_else(|_| Err(format!("no end within {PATIENCE:?}")));
        println!("{case}\t{}", outcome::line(verdict));
    }
}

/// Waits for the end of the standard input: who started this program is gone, or wants no more.
async fn until_told() {
    use tokio::io::AsyncReadExt;
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
}
