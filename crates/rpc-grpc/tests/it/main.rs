//! Calls by gRPC over real connections.

mod calls;
mod shop;
