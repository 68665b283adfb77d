//! The client and the server without a runtime, against each other and against the awaited ones.

use crate::remote::{PATIENCE, Remote, router};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Router, Server, block_on, items};
use rpc_native::{Format, Options};
use rpc_testkit::calculator::{Adder, CalculatorClient, CalculatorServer};
use rpc_testkit::inventory::{StockClient, item};
use rpc_testkit::table;

#[test]
fn every_pair_of_awaited_and_blocking_sides_understands_each_other() {
    let _watchdog = watchdog(PATIENCE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    for role in ["server", "blocking-server"] {
        let remote = Remote::start(role);
        for format in [Format::Protobuf, Format::Json] {
            let mut options = Options::new();
            options.format(format);
            let blocking = options.connect_blocking(&remote.endpoint).expect("connect");
            block_on(table::of_the_calculator(blocking));
            runtime.block_on(async {
                let awaited = options.connect(&remote.endpoint).await.expect("connect");
                table::of_the_calculator(awaited).await;
            });
        }
    }
}

#[test]
fn a_blocking_client_sends_a_stream_and_refuses_one_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    let connection = rpc_native::connect_blocking(&remote.endpoint).expect("connect");
    let stock = StockClient::new(connection);
    block_on(async {
        let cx = Context::new();
        let many = (0..20_000).map(|_| item("a", 1));
        assert_eq!(stock.fill(&cx, items(many)).await, Ok(20_000));
        assert_eq!(stock.get(&cx, "a".into()).await, Ok(item("a", 20_000)));
        let names = items(["a".to_owned()]);
        let mut look = stock.look(&cx, names).await;
        let refused = match &mut look {
            Ok(stream) => stream.next().await.expect("an item").expect_err("refused"),
            Err(status) => status.clone(),
        };
        assert_eq!(refused.code(), Code::Unimplemented);
        assert!(refused.message().contains("Look"), "{refused}");
    });
}

#[test]
fn a_blocking_server_refuses_what_it_cannot_carry_by_name() {
    let served = Server::new(router()).served();
    let refused = Options::new().bind_blocking("unix:/nowhere/at/all", served.clone());
    assert!(refused.is_err());
    let directory = ipc_testkit::TempDir::new();
    let endpoint = format!("unix:{}", directory.join("socket").display());
    let refused = Options::new().bind_blocking(&endpoint, served);
    let refused = refused.expect_err("streams of arguments");
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(
        refused.message().contains("inventory.v1.Stock/Fill"),
        "{refused}"
    );
}

#[test]
fn a_blocking_listener_takes_as_many_as_it_has_seats_and_not_one_more() {
    let _watchdog = watchdog(PATIENCE);
    // In all, and of one user: whichever is reached first.
    for (all, per_user) in [(3, 8), (8, 3)] {
        let directory = ipc_testkit::TempDir::new();
        let endpoint = format!("unix:{}", directory.join("socket").display());
        let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
        let mut options = Options::new();
        options.max_connections(all, per_user);
        let listener = options.bind_blocking(&endpoint, served).expect("bind");
        std::thread::spawn(move || {
            while let Ok(session) = listener.accept() {
                std::thread::spawn(move || session.run());
            }
        });
        let mut seated: Vec<_> = (0..3)
            .map(|_| rpc_native::connect_blocking(&endpoint).expect("there is a seat"))
            .collect();
        let refused = rpc_native::connect_blocking(&endpoint).expect_err("one too many");
        assert!(refused.did_not_run());
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
        for connection in &seated {
            let calculator = CalculatorClient::new(connection.clone());
            assert_eq!(block_on(calculator.add(&Context::new(), 2, 3)), Ok(5));
        }
        seated.pop();
        // Its seat is free when the server has seen it go.
        while rpc_native::connect_blocking(&endpoint).is_err() {
            std::thread::yield_now();
        }
    }
}
