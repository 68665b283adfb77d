//! Whole answers of gRPC to a client.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_grpc::fuzzing::answer);
