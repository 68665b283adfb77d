//! Frames of HTTP/2 as the meter of floods sees them pass.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_http::fuzzing::meter);
