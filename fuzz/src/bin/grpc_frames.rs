//! Messages of gRPC cut from a stream, compressed or not.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_grpc::fuzzing::frames);
