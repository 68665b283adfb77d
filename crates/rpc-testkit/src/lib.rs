#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod calculator;
pub mod inventory;
pub mod table;
