//! A client that sends what it likes over datagrams, to the server's machine.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_udp::fuzzing::server);
