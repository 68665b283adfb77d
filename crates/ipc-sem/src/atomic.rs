//! The atomics of the algorithms that models run with a scheduler of their own instead.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
