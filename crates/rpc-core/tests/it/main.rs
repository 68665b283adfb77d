//! The contract end to end, in one process.

mod arriving;
mod calls;
mod contract;
mod foreign;
mod nesting;
mod overload;
mod policies;
