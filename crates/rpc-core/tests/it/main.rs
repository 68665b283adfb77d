//! The contract end to end, in one process.

mod calls;
mod shop;
