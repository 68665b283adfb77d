//! What policies cost a method of which they say nothing, in instructions.

use ipc_testkit::Instructions;
use rpc_core::layers::{Concurrency, Deadlines, Rate, Retry};
use rpc_core::{Channel, Context, Router, Server, block_on};
use rpc_native::Options;
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use rpc_transport::Wire;
use std::time::Duration;
use tower_layer::Layer;

/// A method that is not the one that is called.
const OTHER: &str = "calculator.v1.Calculator/Never";

#[test]
fn a_method_of_which_no_layer_speaks_costs_what_it_costs_without_layers() {
    if let Some((kind, calls)) = Instructions::part() {
        return counted(&kind, u64::from(calls));
    }
    let _watchdog = ipc_testkit::watchdog(Duration::from_secs(550));
    let test = "a_method_of_which_no_layer_speaks_costs_what_it_costs_without_layers";
    let instructions = match Instructions::of(env!("CARGO_MANIFEST_DIR"), test) {
        Ok(instructions) => instructions,
        Err(why) => ipc_testkit::skip!("{why}"),
    };
    let (layered, plain) = instructions.compare("layered", "plain", 102);
    println!("instructions of a call on both sides: {plain} without layers, {layered} with");
    assert!(
        layered * 100 <= plain * 102,
        "{layered} instructions with layers that are off, {plain} without"
    );
}

/// Makes so many calls in this process, whose two sides are two threads.
fn counted(kind: &str, calls: u64) {
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
