//! The programs of the guide: each is run as a reader would run it, and what it claims is checked.

#[path = "../uses/run.rs"]
mod run;

use run::{explains_itself, run};

#[test]
fn what_crosses_is_whole_at_every_size_by_every_way() {
    explains_itself("crossover");
    let ran = run("crossover", &["5"]);
    ran.assert_line(&["bytes", "socket", "ring", "region"]);
    for size in ["64", "4096", "65536", "1048576"] {
        let row = |line: &str| line.split_whitespace().next() == Some(size);
        assert!(ran.text.lines().any(row), "{size}:\n{}", ran.text);
    }
    // Which of them wins depends on the machine; that it is said does not.
    for way in ["ring", "region"] {
        let verdict = |line: &str| line.starts_with(way) && line.contains("socket");
        assert!(ran.text.lines().any(verdict), "{way}:\n{}", ran.text);
    }
    ran.assert_line(&["every sum was right"]);
}

#[test]
fn one_thread_that_awaits_serves_what_takes_many_that_block() {
    explains_itself("blocking_or_awaited");
    let ran = run("blocking_or_awaited", &["16", "20"]);
    ran.assert_line(&["16 connections, 20 rounds each"]);
    assert_eq!(ran.number_after("blocking: "), 17, "{}", ran.text);
    assert_eq!(ran.number_after("awaited: "), 1, "{}", ran.text);
}

#[test]
fn a_caller_knows_whether_a_dead_server_may_have_run_its_call() {
    explains_itself("near_or_far");
    let ran = run("near_or_far", &["20"]);
    for place in ["in this process", "unix", "shm", "tcp"] {
        ran.assert_line(&[place, "a call; the server sees"]);
    }
    ran.assert_line(&["the server says: charging 7"]);
    ran.assert_line(&["a call that had begun: Unavailable, may have run"]);
    ran.assert_line(&["a call to a dead server: Unavailable, did not run"]);
}
