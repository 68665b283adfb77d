//! Calls between two network namespaces over the kernel's own devices: narrow, down, and up again.

use crate::network_faults::{Scene, within};
use crate::remote::PATIENCE;
use crate::transports::Transport;
use ipc_testkit::{skip, watchdog};
use rpc_core::{Code, Context};
use rpc_testkit::inventory::{StockClient, item};
use rpc_testkit::network::{DEVICE, Network, run};
use rpc_testkit::table;
use rpc_transport::Reconnecting;
use std::time::Duration;

#[test]
fn a_device_that_goes_down_and_up_ends_calls_in_time_and_carries_them_again() {
    let _watchdog = watchdog(PATIENCE);
    let made = within(
        Network::enter_devices,
        Transport::Mtls,
        async |scene: Scene| {
            let options = Transport::Mtls.client(&scene.identities, "clerk");
            let (place, connecting) = (scene.endpoint.clone(), options.clone());
            let channel = Reconnecting::new(move || {
                let (options, place) = (connecting.clone(), place.clone());
                async move { options.connect(&place).await }
            });
            let stock = StockClient::new(channel);
            assert_eq!(stock.put(&Context::new(), item("before", 1)).await, Ok(1));
            run("ip", &format!("link set {DEVICE} down")).expect("our own device");
            let cx = || Context::new().timeout(Duration::from_millis(100));
            for call in 0..3 {
                let failed = stock.put(&cx(), item(&format!("down{call}"), 1)).await;
                let code = failed.expect_err("no way").code();
                assert_eq!(code, Code::DeadlineExceeded);
            }
            // A new connection finds no way at once.
            let refused = options.connect(&scene.endpoint).await.expect_err("no way");
            assert!(matches!(
                refused.code(),
                Code::Unavailable | Code::DeadlineExceeded
            ));
            assert!(refused.did_not_run());
            run("ip", &format!("link set {DEVICE} up")).expect("our own device");
            assert_eq!(stock.put(&Context::new(), item("after", 1)).await, Ok(1));
            let mut all = stock
                .list(&Context::new(), String::new())
                .await
                .expect("a stream");
            while let Some(found) = all.next().await {
                let found = found.expect("an item");
                assert_eq!(found.count, 1, "{} ran twice", found.sku);
            }
        },
    );
    if let Err(reason) = made {
        skip!("{reason}");
    }
}

#[test]
fn the_table_is_answered_through_a_narrow_device() {
    let _watchdog = watchdog(PATIENCE);
    let (missing, missed) = std::sync::mpsc::channel();
    let made = within(
        Network::enter_devices,
        Transport::Tcp,
        async move |scene: Scene| {
            // A megabyte and a half a second; what comes faster waits its turn.
            let narrow = "rate 12mbit burst 10kb latency 400ms";
            if let Err(reason) = run("tc", &format!("qdisc add dev {DEVICE} root tbf {narrow}")) {
                return missing.send(reason).expect("somebody asks");
            }
            let options = Transport::Tcp.client(&scene.identities, "");
            let connection = options.connect(&scene.endpoint).await.expect("connect");
            table::of_the_inventory(connection.clone(), "narrow").await;
            table::of_the_calculator(connection).await;
        },
    );
    if let Err(reason) = made.and(match missed.try_recv() {
        Ok(reason) => Err(reason),
        Err(_) => Ok(()),
    }) {
        skip!("{reason}");
    }
}
