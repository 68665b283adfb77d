//! Use cases with the network, calls and devices, on this host alone.

use crate::run::{explains_itself, run};

#[test]
fn a_substation_that_dies_is_missed_and_known_again_when_it_is_back() {
    explains_itself("substations");
    let ran = run("substations", &[]);
    for (station, peer) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let hears = format!("station {station} hears station {peer}: breaker closed");
        ran.assert_line(&[&hears]);
    }
    for station in [0, 1] {
        ran.assert_line(&[&format!("station {station} lost station 2")]);
        ran.assert_line(&[&format!("station {station} hears station 2: breaker open")]);
    }
}

#[test]
fn calls_go_on_when_a_server_dies_that_was_the_registry_too() {
    explains_itself("service_registry");
    let ran = run("service_registry", &[]);
    ran.assert_line(&["server 1 is registered, and is the registry"]);
    ran.assert_line(&["before:", "server 1", "server 2", "server 3"]);
    ran.assert_line(&["server 1 is killed: signal: 9"]);
    ran.assert_line(&["after:", "failed calls"]);
    assert!(!ran.has_line(&["after:", "server 1"]), "{}", ran.text);
    ran.assert_line(&["registered: 2"]);
}

#[test]
fn a_device_is_read_until_it_is_unplugged() {
    explains_itself("device");
    let ran = run("device", &[]);
    for degrees in ["21.5", "21.7", "21.6"] {
        ran.assert_line(&["the device says", degrees]);
    }
    ran.assert_line(&["the device is gone", "closed"]);
    if let Some((_, cause)) = ran.text.split_once("no uevent on this host: ") {
        ipc_testkit::skip!("no uevent to see here: {}", cause.trim_end());
    }
    ran.assert_line(&["the kernel says change@/devices/virtual/mem/null"]);
}
