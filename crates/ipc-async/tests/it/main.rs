//! The tests of ipc-async, one file per question.

mod cancelled;
mod tails;
mod verbs;

ipc_testkit::roles! {}
