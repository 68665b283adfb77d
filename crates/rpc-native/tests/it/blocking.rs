//! The client and the server without a runtime, against each other and against the awaited ones.

use crate::remote::{PATIENCE, Remote, router};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Server, block_on, items};
use rpc_native::{Format, Options};
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
