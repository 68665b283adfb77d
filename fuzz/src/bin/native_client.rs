//! A server of the native protocol that sends what it likes.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_native::fuzzing::client);
