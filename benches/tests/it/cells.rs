//! The cells of calls: each is measured, or left out by the run with its cause.

use ipc_bench::{
    family::Family,
    mechanisms,
    placement::Cpus,
    plan::{Plan, Selection},
    scenario::Scenario,
};

/// From a null call to a message that no buffer holds.
const SIZES: [usize; 4] = [0, 64, 4 << 10, 1 << 20];
/// Unary calls at three concurrencies, streams of three kinds, many clients, and loads.
const SCENARIOS: [Scenario; 14] = [
    Scenario::RoundTrip,
    Scenario::Concurrent16,
    Scenario::Concurrent256,
    Scenario::OneWay,
    Scenario::ServerStream,
    Scenario::BothStreams,
    Scenario::FanIn,
    Scenario::OpenLoop,
    Scenario::OpenLoop10,
    Scenario::OpenLoop50,
    Scenario::OpenLoop80,
    Scenario::OpenLoop10OfOurs,
    Scenario::OpenLoop50OfOurs,
    Scenario::OpenLoop80OfOurs,
];
/// Our calls over every transport, and whose row they are.
const OURS: [(&str, &str); 10] = [
    ("rpc-inproc", "named"),
    ("rpc-native", "awaited"),
    ("rpc-native-pipe", "awaited"),
    ("rpc-native-shm", "awaited"),
    ("rpc-native-tcp", "awaited"),
    ("rpc-native-tls", "awaited"),
    ("rpc-grpc", "rpc-grpc"),
    ("rpc-grpc-shm", "rpc-grpc"),
    ("rpc-grpc-tcp", "rpc-grpc"),
    ("rpc-grpc-tls", "rpc-grpc"),
];
/// Who else makes calls, and over what.
const PEERS: [(&str, &[&str]); 6] = [
    (
        "rpc-native",
        &["tarpc", "ttrpc", "tonic", "capnp-rpc", "zeromq", "nng"],
    ),
    ("rpc-native-tcp", &["tarpc", "ttrpc", "tonic", "capnp-rpc"]),
    ("rpc-native-tls", &["tarpc", "tonic"]),
    ("rpc-grpc", &["tonic", "grpcio-client", "grpcio-to-tonic"]),
    ("rpc-grpc-tcp", &["tonic"]),
    ("rpc-grpc-tls", &["tonic"]),
];

fn plan(families: &[Family]) -> Plan {
    let selection = Selection {
        mechanisms: OURS.map(|(mechanism, _)| mechanism.to_owned()).to_vec(),
        sizes: SIZES.to_vec(),
        scenarios: SCENARIOS.to_vec(),
        peers: true,
        ..Selection::default()
    };
    let cpus = Cpus {
        allowed: vec![0, 1],
        pair: (0, Some(1)),
    };
    Plan::new(&selection, families, &cpus)
}

/// Whether a maker is among those of a cell.
fn is_measured(plan: &Plan, mechanism: &str, maker: &str, scenario: Scenario, size: usize) -> bool {
    plan.groups.iter().any(|group| {
        (group.mechanism, group.shape.scenario, group.shape.size) == (mechanism, scenario, size)
            && group.makers.iter().any(|one| one.name == maker)
    })
}

#[test]
fn our_calls_are_measured_over_every_transport() {
    let families = mechanisms::all();
    let plan = plan(&families);
    for (mechanism, maker) in OURS {
        let Some(family) = families.iter().find(|family| family.name == mechanism) else {
            let said = plan.unmeasured.iter().any(|gap| gap.what == mechanism);
            assert!(said, "{mechanism} is not in this build, and nobody says so");
            continue;
        };
        let here = family.makers.iter().find(|one| one.name == maker);
        let here = here.expect("ours is there");
        if let Err(why) = (here.probe)() {
            ipc_testkit::skip!("{mechanism}: {why}");
        }
        for (scenario, size) in SIZES
            .iter()
            .flat_map(|size| SCENARIOS.map(|one| (one, *size)))
        {
            let measured = is_measured(&plan, mechanism, maker, scenario, size);
            let alone = mechanism == "rpc-inproc" && scenario == Scenario::FanIn;
            assert_ne!(measured, alone, "{mechanism}/{}/{size}", scenario.name());
        }
    }
}

#[test]
fn what_a_peer_does_not_do_is_said_with_its_cause() {
    let families = mechanisms::all();
    let plan = plan(&families);
    for (mechanism, makers) in PEERS {
        let Some(family) = families.iter().find(|family| family.name == mechanism) else {
            continue;
        };
        if cfg!(not(feature = "peers")) {
            continue;
        }
        for maker in makers {
            let there = family.makers.iter().any(|one| one.name == *maker);
            assert!(there, "{mechanism}:{maker}");
            for (scenario, size) in SIZES
                .iter()
                .flat_map(|size| SCENARIOS.map(|one| (one, *size)))
            {
                let cell = format!("{mechanism}:{maker}/{}/{size}", scenario.name());
                let measured = is_measured(&plan, mechanism, maker, scenario, size);
                let said = plan.unmeasured.iter().any(|gap| {
                    // A library that is not installed is said once for all its cells.
                    (gap.what == cell || gap.what == format!("{mechanism}:{maker}"))
                        && !gap.why.is_empty()
                });
                assert!(measured != said, "{cell}: measured {measured}, said {said}");
            }
        }
    }
}
