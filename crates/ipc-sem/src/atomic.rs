//! The atomics and thread-locals of the algorithms, which models run with a scheduler's instead.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use std::thread_local;
