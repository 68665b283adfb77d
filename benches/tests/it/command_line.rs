//! The command line: what it refuses, and that a short run writes whole results.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

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
fn what_cannot_be_written_is_said_before_anything_is_measured() {
    let directory = std::env::temp_dir().join(format!("ipc-bench-places-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("file");
    fs::write(&file, "").unwrap();
    let (file, beneath) = (file.to_str().unwrap(), directory.join("file/out"));
    let lost = directory.join("nowhere/run.json");
    for (option, path, why) in [
        ("--out", file, "is not a directory"),
        ("--out", beneath.to_str().unwrap(), "ot a directory"),
        ("--json", lost.to_str().unwrap(), "No such file"),
        ("--json", directory.to_str().unwrap(), "is a directory"),
    ] {
        let (code, output, error) = bench(&["--mechanism=pipe", "--size=64", option, path]);
        assert_eq!(code, Some(2), "{option} {path}: {error}");
        assert!(error.contains(why) && error.contains(path), "{error}");
        assert!(
            output.is_empty() && !error.contains("cache-line"),
            "it measured: {error}"
        );
    }
    let left: Vec<_> = fs::read_dir(&directory).unwrap().collect();
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(left.len(), 1, "nothing was made: {left:?}");
}

#[test]
fn a_path_that_is_not_utf_8_is_a_path() {
    let mut name = format!("ipc-bench-{}-", std::process::id()).into_bytes();
    name.push(0xff);
    let out = std::env::temp_dir().join(OsString::from_vec(name));
    let output = Command::new(binary())
        .args(["--mechanism=pipe", "--scenario=single-thread"])
        .args(["--size=64", "--time=1", "--out"])
        .arg(&out)
        .output()
        .expect("the bench starts");
    let written = out.join("run.json").is_file();
    let _ = fs::remove_dir_all(&out);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && written, "{error}");
}

#[test]
fn a_short_run_writes_whole_results() {
    let run = whole(|time, directory| {
        let json = directory.join("run.json");
        let output = Command::new(binary())
            .args(["--mechanism=pipe", "--size=64", time])
            .args(["--scenario=single-thread,round-trip", "--json"])
            .arg(&json)
            .arg("--out")
            .arg(directory.join("out"))
            .output();
        (output.expect("the bench starts"), json)
    });
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

/// What a run finds that has time for all it was asked for. A busy host needs more for that; one
/// that leaves something out for want of time must say so.
fn whole(bench: impl Fn(&str, &Path) -> (Output, PathBuf)) -> Run {
    let mut seconds = 3;
    loop {
        let directory = ipc_testkit::TempDir::new();
        let (output, json) = bench(&format!("--time={seconds}"), directory.path());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        let run: Run = serde_json::from_slice(&fs::read(&json).expect("written")).expect("a run");
        let mut gaps = run.unmeasured.iter();
        let used_up = "the time of the run was used up";
        if !gaps.any(|gap| gap.why == used_up) || seconds > 100 {
            return run;
        }
        seconds *= 2;
    }
}

#[test]
fn a_reader_who_has_gone_changes_no_exit_code_and_a_full_disk_does() {
    for arguments in [&["--help"][..], &["--list"]] {
        let ended = |stdout: fs::File| {
            let mut command = Command::new(binary());
            command.args(arguments).stdout(stdout);
            command.output().expect("the bench starts")
        };
        let (read, write) = std::io::pipe().expect("a pipe");
        drop(read);
        let gone = ended(fs::File::from(std::os::fd::OwnedFd::from(write)));
        let error = String::from_utf8_lossy(&gone.stderr);
        assert_eq!(gone.status.code(), Some(0), "{arguments:?}: {error}");
        assert!(error.is_empty(), "{arguments:?}: {error}");
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let full = ended(full.expect("/dev/full is there"));
        let error = String::from_utf8_lossy(&full.stderr);
        assert_eq!(full.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains("standard output: No space left"), "{error}");
    }
}

/// The table of a run, which stands in its reports, too.
#[test]
fn a_table_that_could_not_be_printed_is_a_broken_run() {
    let directory = ipc_testkit::TempDir::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let ended = Command::new(binary())
        .args(["--mechanism=pipe", "--scenario=single-thread", "--size=64"])
        .args(["--time=1", "--out"])
        .arg(directory.join("out"))
        .stdout(full.expect("/dev/full is there"))
        .output()
        .expect("the bench starts");
    let error = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{error}");
    assert!(error.contains("standard output: No space left"), "{error}");
    assert!(directory.join("out/run.json").is_file());
}

/// As on most hosts, where 1,024 descriptors are what a process has until it asks for more.
#[test]
fn sets_of_a_thousand_ask_for_as_many_descriptors_as_they_take() {
    let run = whole(|time, directory| {
        let json = directory.join("run.json");
        let output = Command::new("sh")
            .args(["-c", "ulimit -S -n 1024 && exec \"$0\" \"$@\""])
            .arg(binary())
            .args(["--mechanism=wait-set,wait-set-framed,wait-set-rings"])
            .args(["--scenario=single-thread", time, "--json"])
            .arg(&json)
            .arg("--out")
            .arg(directory.join("out"))
            .output();
        (output.expect("a shell starts"), json)
    });
    for gap in &run.unmeasured {
        let out_of_them = gap.why.contains("os error 24") || gap.why.contains("RLIMIT_NOFILE");
        assert!(!out_of_them, "{}: {}", gap.what, gap.why);
    }
}
