//! R18: each system call of a client and of a server, awaited and blocking, fails in each way; and
//! what comes of a peer over shared memory that dies or writes garbage.

#[path = "crash/shm_deaths.rs"]
mod shm_deaths;
#[path = "crash/shm_garbage.rs"]
mod shm_garbage;
#[path = "crash/shm_sides.rs"]
mod shm_sides;

use ipc_testkit::crash::{Lab, laboratory};
use rpc_core::{Code, Router, Server, Status, block_on};
use rpc_native::{Limits, Options};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::sweep::{self, Board, Side, WAIT, runtime};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    laboratory(&[
        ("errors", every_system_call_fails),
        ("shm: a server dies", shm_deaths::of_a_server),
        ("shm: a client dies", shm_deaths::of_a_client),
        ("shm: garbage of a client", shm_garbage::of_a_client),
        ("shm: garbage of a server", shm_garbage::of_a_server),
    ])
}

/// Each side against one of the other kind.
const SIDES: [Side; 4] = [
    Side {
        what: "a blocking client",
        awaited: false,
        serves: false,
        server: awaited_server,
        client: blocking_client,
    },
    Side {
        what: "an awaited client",
        awaited: true,
        serves: false,
        server: blocking_server,
        client: awaited_client,
    },
    Side {
        what: "a blocking server",
        awaited: false,
        serves: true,
        server: blocking_server,
        client: awaited_client,
    },
    Side {
        what: "an awaited server",
        awaited: true,
        serves: true,
        server: awaited_server,
        client: blocking_client,
    },
];

fn every_system_call_fails(lab: &mut Lab) {
    sweep::every_system_call_fails(lab, &SIDES);
}

fn options() -> Options {
    let mut limits = Limits::new();
    limits.handshake_timeout(WAIT).frame_timeout(WAIT);
    let mut options = Options::new();
    options.limits(limits).connect_timeout(WAIT).clone()
}

/// Serves one client, and ends with it.
fn blocking_server(board: &Board, endpoint: &str) -> Result<(), Status> {
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    let listener = options().bind_blocking(endpoint, served)?;
    board.listens();
    listener.accept()?.run()
}

/// Serves, and ends with its first client.
fn awaited_server(board: &Board, endpoint: &str) -> Result<(), Status> {
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

fn blocking_client(endpoint: &str, time: Duration) -> Result<(), Status> {
    let connection = options().connect_blocking(endpoint)?;
    block_on(sweep::calls(connection, time))
}

fn awaited_client(endpoint: &str, time: Duration) -> Result<(), Status> {
    runtime()?.block_on(async { sweep::calls(options().connect(endpoint).await?, time).await })
}
