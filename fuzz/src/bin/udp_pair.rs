//! Both machines of rpc-udp, a network that does its worst, and a model of what may run.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_udp::fuzzing::pair);
