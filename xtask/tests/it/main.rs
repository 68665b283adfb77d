//! Asks the built `xtask` whether it keeps what it promises.
#![forbid(unsafe_code)]

mod confinement;
mod ends;
mod printed;
mod refusals;
