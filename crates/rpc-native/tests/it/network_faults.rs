//! Remote means remote: calls between two network namespaces, over a wire that is late, loses
//! packets, is cut and heals.

use crate::identities::Identities;
use crate::remote::PATIENCE;
use crate::transports::Transport;
use ipc_testkit::{Child, Role, skip, watchdog};
use rpc_core::layers::Retry;
use rpc_core::{Code, Context};
use rpc_native::Limits;
use rpc_testkit::inventory::{StockClient, item};
use rpc_testkit::network::{Network, THERE};
use rpc_testkit::table;
use rpc_transport::{Connected, Reconnecting};
use std::time::{Duration, Instant};
use tower_layer::Layer;

/// Both sides, and a server on the other.
pub(crate) struct Scene {
    network: Network,
    pub(crate) identities: Identities,
    server: Child,
    pub(crate) endpoint: String,
}

impl Scene {
    fn start(network: Network, transport: Transport) -> Self {
        let identities = Identities::new();
        let (server, endpoint) = Self::serve(&network, transport, &identities);
        Self {
            network,
            identities,
            server,
            endpoint,
        }
    }

    fn serve(network: &Network, transport: Transport, identities: &Identities) -> (Child, String) {
        let (told, tell) = std::io::pipe().expect("a pipe");
        let role = Role::new("transport-server")
            .argument(format!("{transport:?}"))
            .argument(identities.path().display())
            .argument(format!("{THERE}:7000"))
            .descriptor(&tell);
        let server = network.spawn(role);
        drop(tell);
        (server, std::io::read_to_string(told).expect("its place"))
    }
}

/// Runs `body` in a thread of its own, which a namespace can be given to, and in a runtime there;
/// why it cannot, where it cannot.
fn between<F>(transport: Transport, body: F) -> Result<(), String>
where
    F: AsyncFnOnce(Scene) + Send + 'static,
{
    within(Network::enter, transport, body)
}

/// As [`between`], in the network that `enter` makes.
pub(crate) fn within<F>(
    enter: fn() -> Result<Network, String>,
    transport: Transport,
    body: F,
) -> Result<(), String>
where
    F: AsyncFnOnce(Scene) + Send + 'static,
{
    let thread = std::thread::spawn(move || {
        let scene = Scene::start(enter()?, transport);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(body(scene));
        Ok(())
    });
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[test]
fn the_whole_table_is_answered_over_a_slow_network() {
    let _watchdog = watchdog(PATIENCE);
    for transport in [Transport::Tcp, Transport::Tls, Transport::Mtls] {
        let delay = Duration::from_millis(3);
        let made = between(transport, async move |scene: Scene| {
            scene.network.wire.delay(delay);
            let options = transport.client(&scene.identities, "clerk");
            let connection = options.connect(&scene.endpoint).await.expect("connect");
            let begun = Instant::now();
            let stock = StockClient::new(connection.clone());
            stock.put(&Context::new(), item("a", 1)).await.expect("put");
            assert!(begun.elapsed() >= 2 * delay, "there and back");
            table::of_the_inventory(connection.clone(), "slow").await;
            table::of_the_calculator(connection).await;
        });
        if let Err(reason) = made {
            skip!("{reason}");
        }
    }
}

#[test]
fn five_percent_of_lost_packets_lose_no_call_and_run_nothing_twice() {
    let _watchdog = watchdog(PATIENCE);
    let made = between(Transport::Mtls, async |scene: Scene| {
        let wire = &scene.network.wire;
        wire.lose(50);
        wire.delay(Duration::from_millis(1));
        let options = Transport::Mtls.client(&scene.identities, "clerk");
        // Several connections: one alone waits for each loss.
        let callers = (0..8).map(|caller| {
            let (options, endpoint) = (options.clone(), scene.endpoint.clone());
            tokio::spawn(async move {
                let connection = options.connect(&endpoint).await.expect("connect");
                let stock = StockClient::new(connection);
                for call in 0..25 {
                    let put = item(&format!("{caller}-{call}"), 1);
                    assert_eq!(stock.put(&Context::new(), put).await, Ok(1));
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no panic");
        }
        wire.lose(0);
        let stock = StockClient::new(options.connect(&scene.endpoint).await.expect("connect"));
        let mut all = stock
            .list(&Context::new(), String::new())
            .await
            .expect("a stream");
        let mut many = 0;
        while let Some(found) = all.next().await {
            assert_eq!(found.expect("an item").count, 1, "nothing ran twice");
            many += 1;
        }
        assert_eq!(many, 8 * 25, "nothing was lost");
        let (carried, lost) = (wire.carried(), wire.lost());
        println!("{lost} packets lost, {carried} carried");
        assert!(lost > 0);
    });
    if let Err(reason) = made {
        skip!("{reason}");
    }
}

#[test]
fn a_partition_ends_calls_by_their_deadlines_and_a_healed_one_goes_on() {
    let _watchdog = watchdog(PATIENCE);
    let made = between(Transport::Tcp, async |scene: Scene| {
        let wire = &scene.network.wire;
        let options = Transport::Tcp.client(&scene.identities, "");
        let stock = StockClient::new(options.connect(&scene.endpoint).await.expect("connect"));
        assert_eq!(stock.put(&Context::new(), item("before", 1)).await, Ok(1));
        wire.cut();
        for call in 0..5 {
            let cx = Context::new().timeout(Duration::from_millis(50));
            let late = stock.put(&cx, item(&format!("cut{call}"), 1)).await;
            assert_eq!(late.expect_err("no way").code(), Code::DeadlineExceeded);
        }
        wire.heal();
        // The same connection: what was sent is repeated by the kernel, and nothing twice.
        assert_eq!(stock.put(&Context::new(), item("after", 1)).await, Ok(1));
        let mut all = stock
            .list(&Context::new(), String::new())
            .await
            .expect("a stream");
        while let Some(found) = all.next().await {
            let found = found.expect("an item");
            assert_eq!(found.count, 1, "{} ran twice", found.sku);
        }
    });
    if let Err(reason) = made {
        skip!("{reason}");
    }
}

#[test]
fn a_silent_death_is_seen_by_keep_alive_and_calls_go_on_once_it_heals() {
    let _watchdog = watchdog(PATIENCE);
    let made = between(Transport::Mtls, async |scene: Scene| {
        let wire = &scene.network.wire;
        let limits = Limits::new()
            .keep_alive(Some(Limits::MIN_KEEP_ALIVE))
            .keep_alive_answer(Duration::from_millis(200))
            .clone();
        let options = Transport::Mtls
            .client(&scene.identities, "clerk")
            .limits(limits)
            .connect_timeout(Duration::from_secs(2))
            .clone();
        let (place, connecting) = (scene.endpoint.clone(), options.clone());
        let channel = Reconnecting::new(move || {
            let (options, place) = (connecting.clone(), place.clone());
            async move { options.connect(&place).await }
        });
        let stock = StockClient::new(Retry::new().attempts("*", 5).layer(channel.clone()));
        assert_eq!(stock.put(&Context::new(), item("before", 1)).await, Ok(1));
        wire.cut();
        let connection = channel.connection().await.expect("nobody knows yet");
        let under_way = StockClient::new(connection.clone());
        let lost = under_way.put(&Context::new(), item("cut", 1)).await;
        let lost = lost.expect_err("the server is silent");
        assert_eq!(lost.code(), Code::Unavailable);
        assert!(!lost.did_not_run(), "who knows");
        assert!(!connection.is_usable());
        let failed = stock.put(&Context::new(), item("cut too", 1)).await;
        let code = failed.expect_err("no way").code();
        assert!(
            matches!(code, Code::Unavailable | Code::DeadlineExceeded),
            "{code:?}"
        );
        wire.heal();
        let mut puts = 0_u32;
        while stock
            .put(&Context::new(), item(&format!("after{puts}"), 1))
            .await
            .is_err()
        {
            puts += 1;
            tokio::task::yield_now().await;
        }
        let mut all = stock
            .list(&Context::new(), String::new())
            .await
            .expect("a stream");
        let mut found = Vec::new();
        while let Some(item) = all.next().await {
            let item = item.expect("an item");
            assert_eq!(item.count, 1, "{} ran twice", item.sku);
            found.push(item.sku);
        }
        assert!(found.contains(&"before".into()) && !found.contains(&"cut too".into()));
    });
    if let Err(reason) = made {
        skip!("{reason}");
    }
}

/// How many sockets `child` holds; what it opens otherwise may come and go as it starts.
fn sockets(child: &Child) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).expect("our child");
    let of = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry?.path());
    let is_socket = |what: &std::path::PathBuf| what.to_string_lossy().starts_with("socket:");
    open.flat_map(of).filter(is_socket).count()
}

#[test]
fn a_server_lets_go_of_a_client_that_has_vanished() {
    let _watchdog = watchdog(PATIENCE);
    let made = between(Transport::Tcp, async |scene: Scene| {
        let before = sockets(&scene.server);
        let options = Transport::Tcp.client(&scene.identities, "");
        let connection = options.connect(&scene.endpoint).await.expect("connect");
        let stock = StockClient::new(connection);
        assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
        assert!(sockets(&scene.server) > before);
        scene.network.wire.cut();
        while sockets(&scene.server) > before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    if let Err(reason) = made {
        skip!("{reason}");
    }
}

#[test]
fn a_killed_server_of_another_namespace_is_reconnected_to_when_it_is_back() {
    let _watchdog = watchdog(PATIENCE);
    let made = between(Transport::Mtls, async |mut scene: Scene| {
        let options = Transport::Mtls.client(&scene.identities, "clerk");
        let (place, connecting) = (scene.endpoint.clone(), options.clone());
        let channel = Reconnecting::new(move || {
            let (options, place) = (connecting.clone(), place.clone());
            async move { options.connect(&place).await }
        });
        let stock = StockClient::new(channel);
        for _ in 0..3 {
            let mut tries = 0_u32;
            while stock.put(&Context::new(), item("a", 1)).await.is_err() {
                tries += 1;
                tokio::task::yield_now().await;
            }
            println!("back after {tries} refusals");
            scene.server.kill();
            scene.server.wait_dead();
            let gone = stock.put(&Context::new(), item("a", 1)).await;
            assert_eq!(gone.expect_err("dead").code(), Code::Unavailable);
            let made = Scene::serve(&scene.network, Transport::Mtls, &scene.identities);
            (scene.server, scene.endpoint) = made;
        }
    });
    if let Err(reason) = made {
        skip!("{reason}");
    }
}
