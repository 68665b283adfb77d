#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod calculator;
#[cfg(feature = "tonic")]
pub mod generated;
#[cfg(feature = "tonic")]
pub mod generated_shop;
#[cfg(feature = "tonic")]
pub mod generated_testing;
#[cfg(feature = "identities")]
pub mod identities;
pub mod interop;
pub mod inventory;
pub mod lockfile;
pub mod nesting;
#[cfg(feature = "network")]
pub mod network;
#[cfg(feature = "shm")]
pub mod shm;
#[cfg(feature = "sweep")]
pub mod sweep;
pub mod table;
