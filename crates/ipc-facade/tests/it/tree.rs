//! What the facade is made of: its dependencies, and that no re-export is without a test.

use ipc_testkit::skip;
use std::process::Command;

/// What `cargo tree` prints of the facade with these features; none where there is no cargo.
fn tree(features: &[&str]) -> Option<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["tree", "--offline", "--locked", "--edges", "normal,build"])
        .args(["--prefix", "none", "--package", "ipc-facade"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().ok()?;
    let words = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(())?;
    let text = String::from_utf8(output.stdout).expect("names are text");
    assert!(text.starts_with("ipc-facade "), "{text}{words}");
    Some(text)
}

/// Whether a line of `tree` is of this package.
fn has(tree: &str, package: &str) -> bool {
    let named = |line: &str| line.split(' ').next() == Some(package);
    tree.lines().any(named)
}

#[test]
fn a_default_build_has_no_runtime() {
    let Some(default) = tree(&[]) else {
        skip!("no cargo, or not all packages of the lock file, on this host");
    };
    for absent in ["tokio", "hyper", "tonic", "rustls", "prost", "rpc-core"] {
        assert!(!has(&default, absent), "{absent}:\n{default}");
    }
    for mechanism in [
        "event", "file", "mq", "net", "pipe", "ring", "sem", "shm", "signal", "uds",
    ] {
        assert!(has(&default, &format!("ipc-{mechanism}")), "{mechanism}");
    }
    // The question can be answered with yes.
    let full = tree(&["--features", "full"]).expect("as before");
    assert!(has(&full, "tokio") && has(&full, "rpc-grpc"), "{full}");
}

#[test]
fn a_feature_brings_its_own_crate_and_no_other_mechanism() {
    let mechanisms = ["event", "file", "mq", "net", "pipe", "signal"];
    for feature in mechanisms {
        let Some(alone) = tree(&["--no-default-features", "--features", feature]) else {
            skip!("no cargo, or not all packages of the lock file, on this host");
        };
        for other in mechanisms {
            let there = has(&alone, &format!("ipc-{other}"));
            assert_eq!(
                there,
                other == feature,
                "{feature} brings {other}:\n{alone}"
            );
        }
    }
}

/// The name by which users know an item.
fn last(item: &str) -> Option<&str> {
    item.trim().rsplit([':', ' ']).next()
}

#[test]
fn every_re_export_is_touched_by_a_test() {
    let (facade, rest) = include_str!("../../src/lib.rs")
        .split_once("pub use")
        .expect("it re-exports");
    assert!(!facade.contains("pub use"));
    let mut names: Vec<&str> = Vec::new();
    for item in format!("pub use{rest}").leak().split("pub use").skip(1) {
        let (item, _) = item.split_once(';').expect("an item ends");
        match item.split_once('{') {
            Some((_, list)) => names.extend(list.trim_end_matches('}').split(',').filter_map(last)),
            None => names.extend(last(item)),
        }
    }
    names.retain(|name| !name.is_empty());
    assert!(names.len() > 30, "{names:?}");
    let tests = [
        include_str!("main.rs"),
        include_str!("calls.rs"),
        include_str!("words.rs"),
    ]
    .concat();
    for name in names {
        let touched = |at: usize| {
            let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            outside(tests[..at].chars().next_back())
                && outside(tests[at + name.len()..].chars().next())
        };
        let found = tests.match_indices(name).any(|(at, _)| touched(at));
        assert!(found, "no test touches `{name}`");
    }
}
