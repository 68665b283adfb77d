//! Trailers of gRPC: codes, percent-encoded texts, details, push-back.
#![cfg_attr(feature = "libfuzzer", no_main)]

ipc_fuzz::target!(rpc_grpc::fuzzing::status);
