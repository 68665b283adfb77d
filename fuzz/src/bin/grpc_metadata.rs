//! Headers of gRPC: metadata, base64, deadlines, traces.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_grpc::fuzzing::metadata);
