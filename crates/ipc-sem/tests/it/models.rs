//! Which sources have a model under `tests/models`: all in which threads agree by atomics.

use std::collections::BTreeSet;

/// Single counters and flags, or the system's own words; and the two whose protocol is another
/// program's (`raw_sync`) or a report for people (`cycles`), which no lock depends on.
const NEEDS_NONE: [&str; 3] = ["atomic.rs", "cycles.rs", "raw_sync.rs"];

#[test]
fn every_source_with_a_protocol_of_atomics_has_a_model() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let Ok(entries) = std::fs::read_dir(root) else {
        ipc_testkit::skip!("the sources are not here");
    };
    let models = include_str!("../models/main.rs");
    let mut with_a_model = BTreeSet::new();
    for entry in entries {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if !name.ends_with(".rs") || NEEDS_NONE.contains(&&*name) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        assert!(
            !text.contains("std::sync::atomic"),
            "{name} takes its atomics past `crate::atomic`: no model sees them"
        );
        if text.contains("crate::atomic") {
            let included = format!("#[path = \"../../src/{name}\"]");
            assert!(models.contains(&included), "{name} has no model");
            with_a_model.insert(name.into_owned());
        }
    }
    assert!(with_a_model.len() >= 11, "{with_a_model:?}");
}
