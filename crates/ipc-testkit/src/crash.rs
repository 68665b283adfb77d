//! The crash laboratory: what an operation leaves behind when its process dies inside it.
//!
//! A crate declares its experiments in `tests/crash.rs` (a test target with `harness = false`):
//!
//! ```no_run
//! use ipc_testkit::crash::{Lab, laboratory};
//!
//! fn publish_before_write(lab: &mut Lab) {
//!     // … builds a tally out of `single_step`, `kill_inside`, `kill_at_random` …
//! }
//! fn main() -> std::process::ExitCode {
//!     laboratory(&[("publish", publish_before_write)])
//! }
//! ```
//!
//! Under `cargo test` it runs the counts of tier P; `cargo xtask crash --tier nightly` runs more.
//! The laboratory is one thread, so that it may fork.

mod call_step;
mod fail_call;
mod forked;
mod kill;
mod lab;
mod namespace;
mod one_processor;
mod single_step;
mod steps;
mod tally;
mod turns;

pub use self::{
    call_step::kill_at_call,
    fail_call::{Fault, Swept, fail_at_call},
    forked::Forked,
    kill::{kill_at_random, kill_inside, stop_and_continue},
    lab::{Experiment, Lab, Tier, laboratory},
    namespace::{with_process_id, with_reused_pid},
    single_step::single_step,
    steps::Steps,
    tally::Tally,
    turns::{calm_and_stormy, ping_pong},
};
