//! One name for a server of this host: whichever way leads there, and which that was.

use crate::remote::{PATIENCE, router};
use crate::transports::insecure;
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use rpc_core::{Code, Context, Router, Server, block_on};
use rpc_native::Options;
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::inventory::{StockClient, item};
use rpc_testkit::table;
use rpc_transport::Endpoint;
use std::path::Path;

fn options(directory: &Path) -> Options {
    let mut options = Options::new();
    options.transport(insecure().directory(directory).clone());
    options
}

/// A server at the name of argument 0, in the directory of argument 1.
pub(crate) fn serve(mut stage: Stage) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let ready = stage.descriptor();
    let options = options(Path::new(stage.argument(1)));
    runtime.block_on(async {
        let serving = options.bind(stage.argument(0)).expect("bind");
        let server = Server::new(router()).with(serving).expect("it carries all");
        drop(ready);
        server.run().await.expect("it serves until it is killed");
    });
}

fn start(name: &str, directory: &TempDir) -> ipc_testkit::Child {
    let (told, tell) = std::io::pipe().expect("a pipe");
    let role = Role::new("local-server").argument(name);
    let child = role
        .argument(directory.join("names").display())
        .descriptor(&tell)
        .spawn();
    drop(tell);
    std::io::read_to_string(told).expect("its word");
    child
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fastest_way_that_is_there_is_taken_and_told() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let names = directory.join("names");
    let options = options(&names);
    // At an address of its own: a port of 127.0.0.1 may be another's as soon as it is let go.
    let [.., high, low] = std::process::id().to_be_bytes();
    let own = std::net::Ipv4Addr::new(127, 77, high, low);
    let free = std::net::TcpListener::bind((own, 0)).expect("a port");
    let address = free.local_addr().expect("it is bound").to_string();
    drop(free);
    let name = format!("local:shop@{address}");
    let gone = options.connect(&name).await.expect_err("nobody is there");
    assert_eq!(gone.code(), Code::Unavailable);
    for way in ["shm:", "unix:", "tcp:"] {
        assert!(gone.message().contains(way), "{gone}");
    }
    let child = start(&name, &directory);
    for (remove, expected) in [
        ("", Endpoint::shm(names.join("shop.shm"))),
        ("shop.shm", Endpoint::unix(names.join("shop.sock"))),
        ("shop.sock", Endpoint::Tcp(address.clone())),
    ] {
        let _ = std::fs::remove_file(names.join(remove));
        let connection = options.connect(&name).await.expect("a way");
        assert_eq!(connection.endpoint(), Some(expected.clone()));
        table::of_the_inventory(connection.clone(), &expected.to_string()).await;
        let (options, name) = (options.clone(), name.clone());
        let blocking = tokio::task::spawn_blocking(move || {
            let connection = options.connect_blocking(&name).expect("a way");
            let endpoint = connection.endpoint();
            block_on(table::of_the_calculator(connection));
            endpoint
        });
        assert_eq!(blocking.await.expect("no panic"), Some(expected));
    }
    drop(child);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_this_process_is_called_here() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let options = options(&directory.join("names"));
    let serving = options.bind("local:here").expect("a free name");
    let taken = options.bind("local:here").expect_err("it is taken");
    assert_eq!(taken.code(), Code::AlreadyExists);
    let stopper = serving.stopper();
    let server = Server::new(router()).with(serving).expect("it carries all");
    let serving = tokio::spawn(server.run());
    let connection = options.connect("local:here").await.expect("it is here");
    assert_eq!(connection.endpoint(), Some(Endpoint::Inproc("here".into())));
    let stock = StockClient::new(connection);
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
    stopper.stop();
    serving.await.expect("no panic").expect("ended in order");
    let gone = options.connect("local:here").await.expect_err("it ended");
    assert_eq!(gone.code(), Code::Unavailable);
}

/// A client that tries all the time over one way keeps nobody on another waiting.
#[test]
fn a_blocking_server_hears_all_of_its_ways() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let names = directory.join("names");
    let options = options(&names);
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    let listener = options.bind_blocking("local:adder", served).expect("free");
    let accepting = std::thread::spawn(move || {
        for _ in 0..2 {
            let session = listener.accept().expect("a client");
            std::thread::spawn(move || session.run());
        }
    });
    for place in [
        Endpoint::shm(names.join("adder.shm")),
        Endpoint::unix(names.join("adder.sock")),
    ] {
        let connection = options.connect_blocking(&place.to_string());
        block_on(table::of_the_calculator(connection.expect("it listens")));
    }
    accepting.join().expect("no panic");
}
