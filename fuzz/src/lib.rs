//! What the fuzz targets share: a way to be one, with libFuzzer or without, and a model of frames.
//!
//! A target is one file in `src/bin`: a function of bytes that panics where a promise is broken.
//! `cargo xtask fuzz` finds, builds and runs it.
#![forbid(unsafe_code)]

pub mod frames;
pub mod plain;

#[cfg(feature = "libfuzzer")]
pub use libfuzzer_sys;

/// Makes a program of a function of bytes. The file starts with
/// `#![cfg_attr(feature = "libfuzzer", no_main)]`.
#[cfg(feature = "libfuzzer")]
#[macro_export]
macro_rules! target {
    ($check:path) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $check(data));
    };
}

/// Makes a program of a function of bytes. The file starts with
/// `#![cfg_attr(feature = "libfuzzer", no_main)]`.
#[cfg(not(feature = "libfuzzer"))]
#[macro_export]
macro_rules! target {
    ($check:path) => {
        fn main() -> std::process::ExitCode {
            $crate::plain::main($check)
        }
    };
}
