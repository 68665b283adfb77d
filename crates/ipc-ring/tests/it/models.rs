//! Which sources run as models: all in which threads or processes agree by atomics.

use std::collections::BTreeSet;

/// Each model checker, and what includes the sources for it.
const MODELS: [(&str, [&str; 2]); 2] = [
    (
        "models",
        [
            include_str!("../models/main.rs"),
            include_str!("../models/many.rs"),
        ],
    ),
    (
        "loom",
        [
            include_str!("../loom/main.rs"),
            include_str!("../loom/many.rs"),
        ],
    ),
];

/// Sources that only count; the one by which models put their own ground under the others; one
/// with two flags that are raised once for the threads of its process, while what ends their
/// waits, an end that is closed here, has a model, and with one that it exchanges as the model of
/// a stream that owes does; one whose flag only the holder of a lock changes; the maker of a
/// queue, who takes members in one at a time and gives seats anew, as the models' own maker does;
/// and one behind the bell, which the models have of their own: only the holder of the turn sleeps
/// there.
const NEEDS_NONE: [&str; 6] = [
    "cell.rs",
    "ground.rs",
    "responder.rs",
    "stream.rs",
    "timed.rs",
    "many/queue.rs",
];

/// How the members of a queue sleep rests on sequentially consistent operations, which `loom` takes
/// for weaker ones: it would find sleepers that nobody wakes, which the language rules out. Who
/// waits at both ends polls, which only the kernel of the other models does.
const NOT_FOR_LOOM: [&str; 4] = [
    "both_ends.rs",
    "many/member.rs",
    "many/peers.rs",
    "many/producer.rs",
];

/// What of the ground is a matter of several threads.
const OF_MANY: [&str; 4] = ["fence", "Atomic", "barrier_on_", "Window"];

#[test]
fn every_source_in_which_several_agree_has_a_model() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let Ok(entries) = std::fs::read_dir(root) else {
        ipc_testkit::skip!("the sources are not here");
    };
    let mut with_a_model = BTreeSet::new();
    let many = std::fs::read_dir(format!("{root}/many")).expect("the sources of queues");
    for entry in entries.chain(many) {
        let path = entry.expect("a file").path();
        let name = path.strip_prefix(root).expect("inside").to_string_lossy();
        if !name.ends_with(".rs") || NEEDS_NONE.contains(&&*name) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        let orders = text.contains("std::sync::atomic::Ordering");
        let past_the_ground = [
            "fence;",
            "rustix::thread::",
            "std::sync::Mutex",
            "std::sync::Condvar",
        ];
        for what in past_the_ground {
            let used = text.lines().filter(|line| line.starts_with("use "));
            let mut used = used.filter(|line| !line.contains("crate::ground"));
            assert!(
                !used.any(|line| line.contains(what)),
                "{name} takes {what} past `crate::ground`: no model sees it"
            );
        }
        let ground = text
            .split("crate::ground::")
            .nth(1)
            .and_then(|rest| rest.split(';').next());
        let stands_on_it =
            ground.is_some_and(|names| OF_MANY.iter().any(|what| names.contains(what)));
        // Who makes the memory writes it before anybody else has it.
        if ["meet.rs", "join.rs", "many/join.rs"].contains(&&*name) || !(orders || stands_on_it) {
            continue;
        }
        let included = format!("#[path = \"../../src/{name}\"]");
        for (model, includes) in MODELS {
            assert!(
                (model == "loom" && NOT_FOR_LOOM.contains(&&*name))
                    || includes.iter().any(|text| text.contains(&included)),
                "{name} is not in tests/{model}"
            );
        }
        with_a_model.insert(name.into_owned());
    }
    assert!(with_a_model.len() >= 13, "{with_a_model:?}");
}
