//! What the RPC crates are tried with: two services, and one table of cases over them.
#![doc = include_str!("../README.md")]

pub mod calculator;
pub mod inventory;
pub mod table;
