//! A synthetic run: every figure in it is computed from a formula, none was measured.

use ipc_bench::results::{
    Cell, CorePair, Floor, Interval, Latency, Machine, MakerKind, Placement, Probe, Ratio, Run,
    State, Unmeasured, Verdict,
};

/// Name; round trip on one core in µs, on two awake, on two asleep; bytes a second of a stream at
/// most; makers.
type Mechanism = (&'static str, f64, f64, f64, f64, &'static [&'static str]);

const MECHANISMS: [Mechanism; 14] = [
    (
        "pipe",
        4.2,
        27.0,
        54.0,
        4.0e9,
        &["ipc-pipe", "default", "raw", "std", "interprocess"],
    ),
    ("fifo", 4.3, 27.4, 54.5, 3.9e9, &["ipc-pipe", "raw"]),
    (
        "uds-stream",
        8.2,
        34.0,
        55.0,
        7.6e9,
        &["ipc-uds", "raw", "std", "interprocess"],
    ),
    ("uds-datagram", 7.6, 30.0, 51.0, 5.1e9, &["ipc-uds", "raw"]),
    ("uds-seqpacket", 7.1, 27.0, 49.0, 5.4e9, &["ipc-uds", "raw"]),
    ("posix-mq", 4.7, 23.0, 47.0, 2.2e9, &["raw"]),
    ("sysv-mq", 5.4, 25.0, 44.0, 2.4e9, &["raw"]),
    ("ring", 4.1, 23.2, 44.1, 33.0e9, &["raw"]),
    ("shm-copy", 4.4, 23.9, 45.0, 21.0e9, &["raw"]),
    ("semaphore", 4.0, 22.9, 43.8, 0.0, &["raw"]),
    ("eventfd", 4.1, 23.1, 44.3, 0.0, &["raw"]),
    ("signal", 6.0, 28.0, 50.0, 0.0, &["raw"]),
    ("tcp", 12.5, 41.0, 66.0, 5.0e9, &["raw", "std"]),
    ("udp", 10.9, 37.0, 61.0, 3.1e9, &["raw", "std"]),
];
const SIZES: [usize; 3] = [64, 4096, 1 << 20];
const SCENARIOS: [(&str, Placement); 6] = [
    ("round-trip", Placement::SameCore),
    ("round-trip-awake", Placement::OtherAwake),
    ("round-trip-asleep", Placement::OtherAsleep),
    ("round-trip-spin", Placement::OtherAwake),
    ("one-way", Placement::OtherAwake),
    ("wake", Placement::OtherAsleep),
];

/// A whole run, as a machine of two near cores might give it.
pub(crate) fn run() -> Run {
    let mut run = empty();
    run.machine.facts = [
        ("data", "SYNTHETIC: computed from a formula, not measured"),
        ("CPU", "Imaginary 9000 (family 26, model 2), 2 vCPUs"),
        ("hypervisor", "KVM"),
        ("kernel", "6.18.5 x86_64"),
        (
            "command line",
            "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet mitigations=auto nokaslr",
        ),
        (
            "governor",
            "not exposed by this guest (no cpufreq directory)",
        ),
        ("idle driver", "haltpoll, guest_halt_poll_ns 200000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    run.machine.cpus = vec![0, 1];
    for (scenario, placement) in SCENARIOS {
        floors(&mut run, placement);
        for size in SIZES {
            for mechanism in &MECHANISMS {
                // Without a payload there is one cell, of size 0.
                let size = if mechanism.4 == 0.0 && size == 64 {
                    0
                } else {
                    size
                };
                cells(&mut run, scenario, placement, size, mechanism);
            }
        }
    }
    awaited(&mut run);
    probes(&mut run);
    run.goals = ipc_bench::goals::judge(&run.ratios);
    run.awaited = ipc_bench::overhead::of(&run.ratios);
    for one in 0..8 {
        for other in one + 1..8 {
            let apart = if one / 2 == other / 2 { 48.0 } else { 118.0 };
            let apart = if one / 4 == other / 4 { apart } else { 541.0 };
            run.cores.push(CorePair {
                cpus: (one, other),
                nanoseconds: apart * (1.0 + 0.05 * jitter(&format!("{one}-{other}"))),
            });
        }
    }
    run
}

/// What awaiting costs, of some.
fn awaited(run: &mut Run) {
    for (mechanism, size, value) in [("pipe", 64, 1.84), ("tcp", 64, 1.19), ("eventfd", 0, 2.09)] {
        for (scenario, placement) in [
            ("round-trip", Placement::SameCore),
            ("wake", Placement::OtherAsleep),
        ] {
            run.ratios.push(Ratio {
                name: format!("{mechanism}-awaited/{scenario}/{size}/vs/blocking"),
                value,
                low: value - 0.02,
                high: value + 0.02,
                n: 61,
                state: State::One,
                placement,
                higher_is_better: false,
            });
        }
    }
}

/// A run that ended before it measured anything.
pub(crate) fn empty() -> Run {
    Run {
        format: 1,
        started_unix_seconds: 1_790_000_000,
        measuring_seconds: 118.0,
        build_seconds: Some(85.0),
        arguments: vec!["--peers".to_owned()],
        machine: Machine::default(),
        floors: Vec::new(),
        cells: Vec::new(),
        ratios: Vec::new(),
        goals: Vec::new(),
        awaited: Vec::new(),
        abilities: ipc_bench::abilities::of_this_build(),
        cores: Vec::new(),
        unmeasured: Vec::new(),
        probes: Vec::new(),
        verdict: Verdict::default(),
    }
}

fn cells(run: &mut Run, scenario: &str, placement: Placement, size: usize, mechanism: &Mechanism) {
    let (name, same, awake, asleep, most, makers) = *mechanism;
    if most == 0.0 && (size > 64 || scenario == "one-way") {
        return;
    }
    let what = format!("{name}/{scenario}/{size}");
    if name == "posix-mq" && size > 8192 {
        let why = "above this host's limit 8192 (fs.mqueue.msgsize_max)".to_owned();
        run.unmeasured.push(Unmeasured { what, why });
        return;
    }
    if name == "signal" && scenario == "round-trip-spin" {
        let why = "a signal has no form that polls without a system call".to_owned();
        run.unmeasured.push(Unmeasured { what, why });
        return;
    }
    let spin = scenario == "round-trip-spin";
    let base = match placement {
        _ if spin && name == "ring" => 0.13,
        _ if spin => 0.9 + same * 0.35,
        _ if scenario == "one-way" => same * 0.12,
        Placement::SameCore => same,
        Placement::OtherAwake => awake,
        Placement::OtherAsleep if scenario == "wake" => asleep / 2.0,
        Placement::OtherAsleep => asleep,
    };
    for (at, maker) in makers.iter().enumerate() {
        let wobble = 1.0 + 0.012 * jitter(&format!("{what}{maker}")) + 0.04 * (at / 2) as f64;
        let copy = if most > 0.0 {
            size as f64 / most * 1e6
        } else {
            0.0
        };
        let p50 = (base + copy) * wobble * 1e3;
        run.cells
            .push(cell(name, maker, scenario, placement, size, p50));
        if at > 0 {
            continue;
        }
        for other in &makers[1..] {
            let value = 1.0 + 0.02 * jitter(&format!("{what}{other}"));
            let half = 0.01 + 0.01 * jitter(&format!("{other}{what}")).abs();
            run.ratios.push(Ratio {
                name: format!("{what}/vs/{other}"),
                value,
                low: value - half,
                high: value + half,
                n: 61,
                state: if placement == Placement::SameCore {
                    State::One
                } else {
                    State::C
                },
                placement,
                higher_is_better: scenario == "one-way",
            });
        }
    }
}

fn cell(
    mechanism: &str,
    maker: &str,
    scenario: &str,
    placement: Placement,
    size: usize,
    p50: f64,
) -> Cell {
    let spin = scenario == "round-trip-spin";
    let floor = match scenario {
        "one-way" => ("memcpy", memcpy(size)),
        "round-trip-spin" => ("cache-line", 124.0),
        _ => ("futex-wake", futex(placement)),
    };
    let spread = 0.015 + 0.01 * jitter(mechanism).abs();
    let around = |value: f64| Interval {
        value,
        low: value * (1.0 - spread),
        high: value * (1.0 + spread),
        n: 61,
    };
    Cell {
        mechanism: mechanism.to_owned(),
        maker: maker.to_owned(),
        kind: match maker {
            "raw" | "default" => MakerKind::Raw,
            "std" | "interprocess" => MakerKind::Peer,
            _ => MakerKind::Ours,
        },
        scenario: scenario.to_owned(),
        size_bytes: size,
        placement,
        state: if placement == Placement::SameCore {
            State::One
        } else {
            State::C
        },
        n: 48_211,
        latency: latency(p50),
        group: 1,
        messages_per_second: around(1e9 / p50),
        bytes_per_second: around(size as f64 * 1e9 / p50),
        cpu_seconds_per_million: p50 / 1e3 * if spin { 2.0 } else { 0.7 },
        system_calls: (maker != "interprocess").then_some(if spin { 0.0 } else { 4.0 }),
        wakes: if spin || scenario == "one-way" {
            0.0
        } else {
            2.0
        },
        preemptions: 0.001,
        times_floor: around(p50 / floor.1),
        floor: floor.0.to_owned(),
        saturation: None,
        verified: mechanism != "udp",
        copies: "2".to_owned(),
    }
}

fn latency(p50: f64) -> Latency {
    let tail = [
        (0.0, 0.93),
        (50.0, 1.0),
        (90.0, 1.12),
        (99.0, 1.6),
        (99.9, 4.5),
        (99.99, 18.0),
    ];
    Latency {
        min: p50 * 0.93,
        p50,
        p90: p50 * 1.12,
        p99: p50 * 1.6,
        p999: p50 * 4.5,
        max: p50 * 31.0,
        curve: tail
            .map(|(percentile, times)| (percentile, p50 * times))
            .to_vec(),
    }
}

fn floors(run: &mut Run, placement: Placement) {
    let state = if placement == Placement::SameCore {
        State::One
    } else {
        State::C
    };
    let mut push = |name: &str, size_bytes, value: f64| {
        if !run
            .floors
            .iter()
            .any(|f| f.name == name && f.placement == placement && f.size_bytes == size_bytes)
        {
            let nanoseconds = Interval {
                value,
                low: value * 0.98,
                high: value * 1.02,
                n: 40,
            };
            run.floors.push(Floor {
                name: name.to_owned(),
                size_bytes,
                placement,
                state,
                nanoseconds,
            });
        }
    };
    push("futex-wake", 0, futex(placement));
    if placement == Placement::OtherAwake {
        push("cache-line", 0, 124.0);
        push("system-call", 0, 121.0);
        for size in SIZES {
            push("memcpy", size, memcpy(size));
        }
    }
}

fn probes(run: &mut Run) {
    for i in 0..2_400 {
        let at_seconds = f64::from(i) * 0.049;
        let far = (31.0..36.0).contains(&at_seconds) || (80.0..82.0).contains(&at_seconds);
        let (state, base) = if far {
            (State::R, 540.0)
        } else {
            (State::C, 122.0)
        };
        let shake = jitter(&i.to_string());
        let nanoseconds = base * (1.0 + 0.06 * shake);
        run.probes.push(Probe {
            at_seconds,
            nanoseconds,
            state,
            kept: !far && shake < 0.96,
        });
    }
    let rejected = run.probes.iter().filter(|probe| !probe.kept).count();
    run.verdict = Verdict {
        kept: run.probes.len() - rejected,
        rejected,
        floor_drift: 1.013,
        states: vec![("C".to_owned(), 0.941), ("R".to_owned(), 0.059)],
        sentence: "usable: the machine was in state R for 6 % of the run, and those slices were \
                   rejected"
            .to_owned(),
    };
}

fn futex(placement: Placement) -> f64 {
    match placement {
        Placement::SameCore => 3_900.0,
        Placement::OtherAwake => 22_500.0,
        Placement::OtherAsleep => 43_000.0,
    }
}

fn memcpy(size: usize) -> f64 {
    4.0 + size as f64 / 60.0
}

/// The same number between -1 and 1 for the same text, by FNV-1a.
fn jitter(text: &str) -> f64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    ((hash >> 20) % 2_001) as f64 / 1_000.0 - 1.0
}
