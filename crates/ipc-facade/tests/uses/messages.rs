//! Use cases with messages between processes of one host.

use crate::run::{PATIENCE, explains_itself, program, run, run_to_failure};
use ipc_testkit::{TempDir, watchdog};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

#[test]
fn a_stream_arrives_whole_and_a_consumer_may_stop_early() {
    explains_itself("streaming");
    let ran = run("streaming", &[]);
    ran.assert_line(&["consumed 667 of 2000 items"]);
    ran.assert_line(&["stopped after 10 items", "exit status: 0"]);
    assert!(ran.errors.contains("nobody takes item"), "{}", ran.errors);
}

#[test]
fn the_jobs_of_workers_that_crash_and_hang_are_done_by_others() {
    explains_itself("worker_pool");
    let ran = run("worker_pool", &[]);
    ran.assert_line(&["job 7:", "closed", "signal: 6"]);
    ran.assert_line(&["job 13:", "deadline passed", "signal: 9"]);
    ran.assert_line(&["40 of 40 jobs done"]);
}

#[test]
fn each_missed_deadline_is_reported() {
    explains_itself("control_loop");
    for (arguments, stalls) in [(&[][..], false), (&["--stall"][..], true)] {
        let ran = run("control_loop", arguments);
        let (in_time, missed) = (ran.number_after("cycles: "), ran.number_after("in time, "));
        assert_eq!(in_time + missed, 60, "{}", ran.text);
        let reports = ran.text.matches("missed its deadline").count();
        assert_eq!(reports as i64, missed, "{}", ran.text);
        // A busy host may miss others too, in either run.
        assert!(
            !stalls || ran.has_line(&["cycle 20 missed its deadline"]),
            "{}",
            ran.text
        );
    }
}

#[test]
fn a_server_knows_its_clients_and_ends_in_order() {
    explains_itself("client_and_server");
    let ran = run("client_and_server", &[]);
    for (text, words) in [
        ("to be", 2),
        ("that is the question", 4),
        ("in the mind", 3),
    ] {
        ran.assert_line(&[&format!("{text:?}"), &format!("has {words} words")]);
    }
    let user = rustix::process::getuid().as_raw();
    let served = format!("of user {user} asked 2 times");
    assert_eq!(ran.text.matches(&served).count(), 2, "{}", ran.text);
    ran.assert_line(&["ending, for SIGTERM"]);
}

#[test]
fn a_tap_shows_all_and_changes_nothing_and_a_mock_is_strict() {
    explains_itself("mock_and_tap");
    let ran = run("mock_and_tap", &[]);
    ran.assert_line(&["tap:", "-> 2", "transfer 30 ann bob"]);
    ran.assert_line(&["tap:", "<- 3", "90"]);
    ran.assert_line(&["client: paid 30"]);
    ran.assert_line(&["mock: all was asked"]);
    let wrong = run_to_failure("mock_and_tap", &["--wrong"]);
    assert!(
        wrong.errors.contains("mock: asked \"transfer 31"),
        "{}",
        wrong.errors
    );
}

#[test]
fn a_token_opens_once_in_time_and_only_for_its_owner() {
    explains_itself("access_token");
    let ran = run("access_token", &[]);
    for (visitor, answer) in [
        ("honest", "welcome"),
        ("replays", "used already"),
        ("late", "expired"),
        ("thief", "it is of another process"),
        ("forger", "it is not ours"),
    ] {
        ran.assert_line(&[&format!("{visitor}: {answer}")]);
    }
    if rustix::process::getuid().is_root() {
        ran.assert_line(&["stranger: it is of another user"]);
    } else {
        ipc_testkit::skip!("only root can start a process of another user, who is refused");
    }
}

#[test]
fn a_server_that_is_interrupted_removes_its_name() {
    let _watchdog = watchdog(PATIENCE);
    let home = TempDir::new();
    let path = home.join("socket");
    let mut command = Command::new(program("client_and_server"));
    command.arg("serve").arg(&path).stdout(Stdio::piped());
    let mut server = command.spawn().expect("it starts");
    let mut said = BufReader::new(server.stdout.take().expect("it is piped"));
    said.read_line(&mut String::new()).expect("it serves");
    let ask = |text| {
        let asked = Command::new(program("client_and_server"))
            .arg("ask")
            .arg(&path)
            .arg(text)
            .output();
        String::from_utf8(asked.expect("it starts").stdout).expect("text")
    };
    assert_eq!(ask("one two"), "\"one two\" has 2 words\n");
    kill_process(Pid::from_child(&server), Signal::INT).expect("it is our child");
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert!(server.wait().expect("it is our child").success(), "{rest}");
    assert!(rest.contains("ending, for SIGINT"), "{rest}");
    assert!(!path.exists());
}
