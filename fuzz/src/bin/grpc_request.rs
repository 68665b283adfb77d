//! Whole requests of gRPC and gRPC-Web, binary and text, to a server.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_grpc::fuzzing::request);
