//! Calls by gRPC over real connections.

mod beside;
mod calls;
mod compressed;
mod generated;
mod hostile;
mod meaning;
mod raw;
mod shop;
mod spy;
mod tonic_peer;
