//! Use cases with files.

use crate::run::{explains_itself, run};

#[test]
fn no_record_that_was_acknowledged_is_lost_or_torn() {
    explains_itself("shared_log");
    let ran = run("shared_log", &[]);
    ran.assert_line(&["ann: exit status: 0"]);
    ran.assert_line(&["victim: signal: 9"]);
    ran.assert_line(&["every record is whole"]);
    // Two processes of four threads write 25 records each; twenty are of the one that is killed.
    assert!(ran.number_after("found ") >= 2 * 4 * 25 + 20);
    assert!(ran.number_after("acknowledged ") <= ran.number_after("found "));
}

#[test]
fn what_a_killed_database_has_answered_is_there_afterwards() {
    explains_itself("database");
    let ran = run("database", &[]);
    let answered = ran.number_after("client 0 was answered ");
    assert!(answered >= 10, "{}", ran.text);
    ran.assert_line(&["server: signal: 9"]);
    ran.assert_line(&[&format!("{answered} of {answered} are there")]);
    ran.assert_line(&["60 pages by 3 clients are there"]);
}

#[test]
fn orders_wait_for_the_remote_and_are_there_once() {
    explains_itself("local_first");
    let ran = run("local_first", &[]);
    ran.assert_line(&["shop: 10 orders taken, 10 wait"]);
    ran.assert_line(&["the remote is not there"]);
    ran.assert_line(&["remote: signal: 9"]);
    ran.assert_line(&["20 orders in the remote's log, 20 different ones"]);
}

#[test]
fn a_daemon_is_told_of_each_change_and_each_signal() {
    explains_itself("notifications");
    let ran = run("notifications", &[]);
    let said: Vec<&str> = ran.text.lines().collect();
    let expected = [
        "daemon: config \"colour = red\"",
        "daemon: config \"colour = blue\"",
        "daemon: hangup",
        "daemon: job 7",
        "daemon: job 8",
        "daemon: job 9",
        "daemon: ending",
    ];
    assert_eq!(said, expected);
}
