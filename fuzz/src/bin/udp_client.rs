//! A server that sends what it likes over datagrams, to the client's machine.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_udp::fuzzing::client);
