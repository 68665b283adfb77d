//! What policies cost a method of which they say nothing, in instructions.

use rpc_core::layers::{Concurrency, Deadlines, Rate, Retry};
use rpc_core::{Channel, Context, Router, Server, block_on};
use rpc_native::Options;
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use rpc_transport::Wire;
use std::process::Command;
use std::time::Duration;
use tower_layer::Layer;

/// Said to the counted process: with or without layers, and how many calls.
const PART: &str = "RPC_NATIVE_INSTRUCTIONS";
/// A method that is not the one that is called.
const OTHER: &str = "calculator.v1.Calculator/Never";

#[test]
fn a_method_of_which_no_layer_speaks_costs_what_it_costs_without_layers() {
    if let Ok(part) = std::env::var(PART) {
        return counted(&part);
    }
    let _watchdog = ipc_testkit::watchdog(Duration::from_secs(300));
    if Command::new("valgrind").arg("--version").output().is_err() {
        ipc_testkit::skip!("no valgrind to count instructions with");
    }
    // Whether a side finds bytes or must wait for them is chance, and each wait costs a few
    // instructions more: the least of a few measurements is the path without it.
    let (mut plain, mut layered) = (u64::MAX, u64::MAX);
    for _ in 0..3 {
        plain = plain.min(a_call("plain"));
        layered = layered.min(a_call("layered"));
        if layered * 100 <= plain * 102 {
            break;
        }
    }
    println!("instructions of a call on both sides: {plain} without layers, {layered} with");
    assert!(
        layered * 100 <= plain * 102,
        "{layered} instructions with layers that are off, {plain} without"
    );
}

/// How many instructions a call takes on both sides.
fn a_call(kind: &str) -> u64 {
    let few = instructions(&format!("{kind} 200"));
    let many = instructions(&format!("{kind} 1200"));
    // What comes before the first call is in both.
    (many - few) / 1000
}

/// How many instructions this program takes for its part.
fn instructions(part: &str) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a program"))
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("a_method_of_which_no_layer_speaks_costs_what_it_costs_without_layers")
        .env(PART, part)
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let (_, count) = said.split_once("Collected :").expect("a count");
    let count = count.split_whitespace().next().expect("a number");
    count.parse().expect("a number")
}

/// Makes so many calls in this process, whose two sides are two threads.
fn counted(part: &str) {
    let (kind, calls) = part.split_once(' ').expect("two words");
    let calls: u64 = calls.parse().expect("a number");
    let (near, far) = Wire::pair().expect("a pair");
    let router = Router::new().service(CalculatorServer::new(Adder));
    let served = match kind {
        "plain" => Server::new(router).served(),
        _ => Server::new(router)
            .layer(Concurrency::new().at_most(OTHER, 1))
            .layer(Rate::new().at_most(OTHER, 1.0, 1))
            .layer(Deadlines::new().at_most(OTHER, Duration::from_secs(60)))
            .served(),
    };
    let session = Options::new().session(far, served);
    let server = std::thread::spawn(move || session.run());
    let connection = Options::new().over_blocking(near).expect("greeted");
    match kind {
        "plain" => add(connection, calls),
        _ => add(Retry::new().attempts(OTHER, 3).layer(connection), calls),
    }
    let ended = server.join().expect("no panic");
    ended.expect("the client went in order");
}

fn add(channel: impl Channel, calls: u64) {
    let calculator = CalculatorClient::new(channel);
    for number in 0..calls {
        let sum = block_on(calculator.add(&Context::new(), number, 1));
        assert_eq!(sum, Ok(number + 1));
    }
}
