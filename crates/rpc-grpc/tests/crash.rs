//! R18: each system call of a gRPC client and of a server fails in each way.

use ipc_testkit::crash::{Lab, laboratory};
use rpc_core::{Code, Router, Server, Status};
use rpc_grpc::{Limits, Options};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::sweep::{self, Board, Side, WAIT, runtime};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    laboratory(&[("errors", every_system_call_fails)])
}

fn every_system_call_fails(lab: &mut Lab) {
    let sides = [("a gRPC client", false), ("a gRPC server", true)];
    let sides = sides.map(|(what, serves)| Side {
        what,
        awaited: true,
        serves,
        server,
        client,
    });
    sweep::every_system_call_fails(lab, &sides);
}

fn options() -> Options {
    let mut limits = Limits::new();
    limits
        .greeting_timeout(WAIT)
        .frame_timeout(WAIT)
        .drain_timeout(WAIT);
    let mut options = Options::new();
    options
        .limits(limits)
        .connect_timeout(WAIT)
        .request_timeout(WAIT)
        .clone()
}

/// Serves one client, and ends with it.
fn server(board: &Board, endpoint: &str) -> Result<(), Status> {
    runtime()?.block_on(async {
        let serving = options().bind(endpoint)?;
        let stopper = serving.stopper();
        board.listens();
        let router = Router::new().service(CalculatorServer::new(Adder));
        let server = tokio::spawn(Server::new(router).with(serving)?.run());
        board.answered().await;
        stopper.stop();
        let ended = server.await;
        ended.map_err(|error| Status::new(Code::Internal, error.to_string()))?
    })
}

fn client(endpoint: &str, time: Duration) -> Result<(), Status> {
    runtime()?.block_on(async { sweep::calls(options().connect(endpoint).await?, time).await })
}
