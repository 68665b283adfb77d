//! The soak of rpc-grpc: the large calls of gRPC's own soak, and every attack at full size, on
//! servers in other processes.

#[path = "soak/backends.rs"]
mod backends;
#[path = "soak/deadlines.rs"]
mod deadlines;
#[path = "soak/floods.rs"]
mod floods;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "it/frames.rs"]
mod frames;
#[path = "soak/lies.rs"]
mod lies;
#[path = "it/raw.rs"]
mod raw;
#[path = "soak/replay.rs"]
mod replay;
#[path = "soak/slow.rs"]
mod slow;
#[path = "soak/there.rs"]
mod there;

use ipc_testkit::crash::Lab;
use ipc_testkit::{Role, Stage, TempDir, soak};
use rpc_core::{Context, Router, Server};
use rpc_testkit::interop::{TestServiceClient, TestServiceServer, Tester, zeros};
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};

/// What a server may hold at the end more than after the first tenth.
const SLACK_KIB: usize = 8 * 1024;

fn main() -> ExitCode {
    soak::run(
        &[("server", serve), ("inventory", there::serve)],
        &[
            ("calls", large_calls),
            ("resets", floods::of_resets),
            ("floods", floods::of_frames),
            ("slow", slow::of_connections),
            ("descriptors", slow::of_descriptors),
            ("lengths", lies::of_lengths),
            ("nesting", lies::of_nesting),
            ("bombs", lies::of_bombs),
            ("failing", backends::that_fail),
            ("late", backends::that_are_late),
            ("killed", backends::that_die),
            ("deadlines", deadlines::overshoot),
            ("replay", replay::of_captured_calls),
        ],
    )
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

fn serve(mut stage: Stage) {
    let ready = stage.descriptor();
    runtime().block_on(async {
        let serving = rpc_grpc::bind(stage.argument(0)).expect("bind");
        let router = Router::new().service(TestServiceServer::new(Tester));
        let server = Server::new(router).with(serving).expect("it carries all");
        // Its end is the word that it listens.
        drop(ready);
        server.run().await.expect("it serves until it is killed");
    });
}

fn resident_kib(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn descriptors(process: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{process}/fd"));
    open.map_or(0, Iterator::count)
}

fn large_calls(lab: &mut Lab) {
    let count = lab.count(200, 100_000, 1_000_000);
    let directory = TempDir::new();
    let endpoint = format!("unix:{}", directory.join("socket").display());
    let (told, tell) = ipc_uds::pair().expect("a pair");
    let server = Role::new("server")
        .argument(&endpoint)
        .descriptor(&tell)
        .spawn();
    drop(tell);
    told.recv(&mut [0; 1]).expect_err("it listens");
    let runtime = runtime();
    let connected = runtime.block_on(rpc_grpc::connect(&endpoint));
    let client = TestServiceClient::new(connected.expect("it listens"));
    let what = "grpc: calls of 271,828 bytes that answer 314,159";
    let call = || {
        let sent = zeros(271_828).map_err(|status| status.to_string())?;
        let cx = Context::new();
        let answer = client.unary_call(&cx, 0, 314_159, sent, false, false, None, None, None);
        let answer = runtime
            .block_on(answer)
            .map_err(|status| status.to_string())?;
        let bytes = answer.payload.map_or(0, |payload| payload.body.len());
        match bytes {
            314_159 => Ok(()),
            other => Err(format!("{other} bytes came")),
        }
    };
    // What allocators keep of such sizes they have after some.
    for _ in 0..100 {
        call().expect("a server that was not attacked");
    }
    let mut warm = (0, 0);
    soak::repeat_freely(lab, "S3", what, count, |number| {
        call()?;
        if number == count / 10 {
            warm = (resident_kib(server.id()), descriptors(server.id()));
        }
        if number + 1 == count {
            let now = (resident_kib(server.id()), descriptors(server.id()));
            if now.0 > warm.0 + SLACK_KIB || now.1 > warm.1 {
                return Err(format!(
                    "the server's KiB and descriptors: {warm:?}, then {now:?}"
                ));
            }
        }
        Ok(())
    });
    server.kill();
}
