//! Calls by gRPC over real connections.

mod calls;
mod generated;
mod hostile;
mod meaning;
mod raw;
mod shop;
mod spy;
mod tonic_peer;
