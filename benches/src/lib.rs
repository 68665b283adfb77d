//! The engine of the bench: real process pairs, every mechanism, one run, paired ratios.

pub mod abilities;
pub mod assemble;
pub mod awaited;
pub mod burn;
pub mod calls;
pub mod cli;
mod clock;
pub mod compare;
pub mod cores;
pub mod cost;
pub mod descriptors;
pub mod family;
pub mod fan_in;
pub mod goals;
pub mod interrupt;
pub mod lane;
pub mod limits;
pub mod loops;
pub mod machine;
pub mod meet;
pub mod members;
pub mod orchestrate;
pub mod ours;
pub mod overhead;
pub mod pair;
pub mod payload;
pub mod placement;
pub mod plan;
pub mod printed;
pub mod progress;
pub mod protocol;
pub mod report;
pub mod residue;
pub mod results;
mod rounds;
pub mod run;
pub mod scenario;
#[cfg(feature = "tls")]
pub mod secured;
pub mod slices;
pub mod stage;
pub mod statistics;
pub mod sys;
pub mod syscalls;
pub mod worker;

/// One file for each mechanism and each floor; the build script lists them.
pub mod mechanisms {
    include!(concat!(env!("OUT_DIR"), "/mechanisms.rs"));
}
