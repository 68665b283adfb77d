//! What a call costs in instructions, beside the same call by plain tonic.

use hyper_util::rt::TokioIo;
use rpc_core::{Context, Router, Server};
use rpc_grpc::Options;
use rpc_testkit::generated::stock_client::StockClient as TonicClient;
use rpc_testkit::generated::stock_server::StockServer as TonicServer;
use rpc_testkit::generated::{Item, StockPutRequest};
use rpc_testkit::generated_shop::GeneratedShop;
use rpc_testkit::inventory::{Shop, StockClient, StockServer, item};
use rpc_transport::Wire;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;

/// Said to the counted process: whose calls, and how many.
const PART: &str = "RPC_GRPC_INSTRUCTIONS";
const SKU: &str = "hammer";

#[test]
fn a_call_costs_what_it_costs_by_tonic() {
    if let Ok(part) = std::env::var(PART) {
        return counted(&part);
    }
    let _watchdog = ipc_testkit::watchdog(Duration::from_secs(550));
    if Command::new("valgrind").arg("--version").output().is_err() {
        ipc_testkit::skip!("no valgrind to count instructions with");
    }
    let program = match optimised() {
        Ok(program) => program,
        Err(why) => ipc_testkit::skip!("{why}"),
    };
    // Whether a side finds bytes or must wait for them is chance, and each wait costs a few
    // instructions more: the least of a few measurements is the path without it.
    let (mut ours, mut tonic) = (u64::MAX, u64::MAX);
    for _ in 0..3 {
        ours = ours.min(a_call(&program, "ours"));
        tonic = tonic.min(a_call(&program, "tonic"));
        if ours * 100 <= tonic * 105 {
            break;
        }
    }
    println!("instructions of a call on both sides: {ours} here, {tonic} by tonic");
    assert!(
        ours * 100 <= tonic * 105,
        "{ours} instructions here, {tonic} by tonic"
    );
}

/// This program as users build theirs: what is not optimised says nothing of what a call costs.
/// Why there is none, where this host has nothing to build it with.
fn optimised() -> Result<PathBuf, String> {
    let here = std::env::current_exe().expect("a program");
    if !cfg!(debug_assertions) {
        return Ok(here);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(&cargo).arg("--version").output();
    if !version.is_ok_and(|version| version.status.success()) {
        return Err("no cargo to build an optimised program with".to_owned());
    }
    // Of `target/debug/deps/instructions-…`.
    let target = here.ancestors().nth(3).expect("cargo made this program");
    let built = Command::new(&cargo)
        .args(["test", "--no-run", "--release", "--offline", "--locked"])
        .args(["--message-format=json", "--test=instructions"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let program = built
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "instructions")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    Ok(program.expect("cargo names what it builds"))
}

/// How many instructions a call takes on both sides, which are one thread.
fn a_call(program: &Path, kind: &str) -> u64 {
    let few = instructions(program, &format!("{kind} 200"));
    let many = instructions(program, &format!("{kind} 1200"));
    // What comes before the first call is in both.
    (many - few) / 1000
}

/// How many instructions the program takes for its part.
fn instructions(program: &Path, part: &str) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("a_call_costs_what_it_costs_by_tonic")
        .env(PART, part)
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let (_, count) = said.split_once("Collected :").expect("a count");
    let count = count.split_whitespace().next().expect("a number");
    count.parse().expect("a number")
}

/// Makes so many calls in this process.
fn counted(part: &str) {
    let (kind, calls) = part.split_once(' ').expect("two words");
    let calls: u32 = calls.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match kind {
            "ours" => ours(calls).await,
            _ => tonic(calls).await,
        }
    });
}

async fn ours(calls: u32) {
    let (near, far) = Wire::pair().expect("a pair");
    let served =
        Server::new(Router::new().service(StockServer::new(Arc::<Shop>::default()))).served();
    tokio::spawn(async move { Options::new().serve(far, served).await });
    let connection = Options::new().over(near).await.expect("greeted");
    let stock = StockClient::new(connection);
    for number in 1..=calls {
        let count = stock.put(&Context::background(), item(SKU, 1)).await;
        assert_eq!(count, Ok(number));
    }
}

async fn tonic(calls: u32) {
    let (near, far) = UnixStream::pair().expect("a pair");
    let service = TonicServer::new(GeneratedShop::default());
    let incoming = futures_util::stream::iter([io::Result::Ok(far)]);
    let incoming = futures_util::StreamExt::chain(incoming, futures_util::stream::pending());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    let mut once = Some(TokioIo::new(near));
    let dial = tower::service_fn(move |_| {
        let taken = once
            .take()
            .ok_or(io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(taken)
    });
    let target = tonic::transport::Endpoint::from_static("http://localhost");
    let channel = target.connect_with_connector(dial).await;
    let mut stock = TonicClient::new(channel.expect("connected"));
    for number in 1..=calls {
        let item = Some(Item {
            sku: SKU.to_owned(),
            count: 1,
        });
        let count = stock.put(StockPutRequest { item }).await;
        assert_eq!(count.expect("put").into_inner(), number);
    }
}
