//! Heads, metadata, failures, greetings and contracts of the native protocol.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_native::fuzzing::decode);
