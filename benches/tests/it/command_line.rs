//! The command line: what it refuses, and that a short run writes whole results.

use std::{fs, process::Command};

use ipc_bench::results::Run;

use crate::binary;

fn bench(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(binary())
        .args(arguments)
        .output()
        .expect("the bench starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn unknown_names_are_refused_with_the_valid_ones() {
    for (arguments, expected) in [
        (["--mechanism", "telepathy"], "uds-stream"),
        (["--scenario", "telepathy"], "round-trip-spin"),
        (["--size", "many"], "1MiB"),
    ] {
        let (code, _, error) = bench(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_broken_run_is_no_regression() {
    // No regression can be found where the other build does not even start.
    let (code, _, error) = bench(&[
        "--against=/bin/true",
        "--mechanism=pipe",
        "--scenario=single-thread",
        "--size=64",
        "--time=1",
    ]);
    assert_eq!(code, Some(2), "{error}");
    let (_, help, _) = bench(&["--help"]);
    assert!(help.contains("Exit codes:") && help.contains("found a regression"));
}

#[test]
fn what_slows_a_build_down_is_a_regression() {
    let binary = binary().to_str().expect("a path in UTF-8");
    let (code, _, error) = bench(&[
        "--against",
        binary,
        "--plant=pipe:100",
        "--mechanism=pipe",
        "--scenario=single-thread",
        "--size=64",
        "--time=2",
    ]);
    assert_eq!(code, Some(1), "{error}");
}

#[test]
fn the_list_names_every_scenario() {
    let (code, text, _) = bench(&["--list"]);
    assert_eq!(code, Some(0));
    for name in [
        "single-thread",
        "wake",
        "fan-in",
        "open-loop",
        "pipe",
        "posix-mq",
        "cache-line",
    ] {
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
}

#[test]
fn a_short_run_writes_whole_results() {
    let directory = std::env::temp_dir().join(format!("ipc-bench-test-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let json = directory.join("run.json");
    let out = directory.join("out");
    let (code, _, error) = bench(&[
        "--mechanism=pipe",
        "--scenario=single-thread,round-trip",
        "--size=64",
        "--time=3",
        "--json",
        json.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(0), "{error}");
    let run: Run = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    assert!(run.floors.iter().any(|floor| floor.name == "system-call"));
    let names: Vec<&str> = run.ratios.iter().map(|ratio| ratio.name.as_str()).collect();
    assert!(
        names.contains(&"pipe:std/round-trip/64/vs/raw"),
        "{names:?}"
    );
    for cell in &run.cells {
        assert!(cell.verified, "{} {}", cell.maker, cell.scenario);
        assert!(cell.latency.p50 > 0.0 && cell.messages_per_second.value > 0.0);
        assert!(cell.cpu_seconds_per_million > 0.0);
    }
}

/// As on most hosts, where 1,024 descriptors are what a process has until it asks for more.
#[test]
fn sets_of_a_thousand_ask_for_as_many_descriptors_as_they_take() {
    let directory = ipc_testkit::TempDir::new();
    let json = directory.join("run.json");
    let output = Command::new("sh")
        .args(["-c", "ulimit -S -n 1024 && exec \"$0\" \"$@\""])
        .arg(binary())
        .args(["--mechanism=wait-set,wait-set-framed,wait-set-rings"])
        .args(["--scenario=single-thread", "--time=3", "--json"])
        .arg(&json)
        .arg("--out")
        .arg(directory.join("out"))
        .output()
        .expect("a shell starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let run: Run = serde_json::from_slice(&fs::read(&json).expect("written")).expect("a run");
    for gap in &run.unmeasured {
        let out_of_them = gap.why.contains("os error 24") || gap.why.contains("RLIMIT_NOFILE");
        assert!(!out_of_them, "{}: {}", gap.what, gap.why);
    }
}
