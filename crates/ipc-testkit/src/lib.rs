#![doc = include_str!("../README.md")]

mod allocations;
pub mod conformance;
pub mod crash;
mod deny;
mod example;
mod instructions;
mod isolate;
mod leaks;
mod names;
mod overshoot;
pub mod printed;
mod role;
mod skip;
pub mod soak;
mod storm;
mod sys;
mod temp_dir;
mod watchdog;

pub use crate::{
    allocations::{CountingAllocator, allocations, large_allocations, largest_allocation},
    deny::{deny, deny_where},
    example::loses_its_output,
    instructions::Instructions,
    isolate::{expect_failure, run_isolated},
    leaks::Snapshot,
    names::nasty_names,
    role::{Child, DONE, Part, Role, Stage, run_role},
    skip::report_skip,
    storm::Storm,
    sys::{
        close_stdio, closed_descriptor, packet_interface, set_sigpipe_default, set_umask,
        shared_words, without_stdio,
    },
    temp_dir::TempDir,
    watchdog::{Watchdog, watchdog},
};
